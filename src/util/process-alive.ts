/**
 * Whether a process has this number. Good enough to leave the temporary files of others alone: a process that took
 * over the number of a dead one only makes a leftover stay a while.
 */
export function isProcessAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM'
  }
}
