import { readFileSync } from 'node:fs'
import { isRunning, type ProcessIdentity } from '../../../util/process-identity.ts'

/** Sends a signal to this very process; one that ended already needs none. */
export async function signalProcess(identity: ProcessIdentity, signal: string): Promise<void> {
  if (!(await isRunning(identity))) return
  try {
    process.kill(identity.pid, signal)
  } catch {
    // Ended in the meantime.
  }
}

/** Whether a process belongs to this cgroup (a path below the hierarchy's mount point) in any hierarchy. */
export function isInCgroup(pid: number, cgroup: string): boolean {
  try {
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
    return lines.some((line) => line.endsWith(`:${cgroup}`) || line.includes(`${cgroup}/`))
  } catch {
    return false
  }
}
