import { readFileSync, statSync } from 'node:fs'

/**
 * The process that holds a lock on a file, as the kernel lists it (proc_locks(5)); null when it cannot be told.
 * Never opens the file: closing any descriptor of it would release the locks of this process on it.
 */
export function lockHolder(path: string): number | null {
  try {
    const { dev, ino } = statSync(path)
    // makedev(3): 12 bits of major between 8 low and 12 high bits of minor.
    const major = Math.floor(dev / 256) % 4096
    const minor = (dev % 256) + Math.floor(dev / 2 ** 20) * 256
    const hex = (value: number) => value.toString(16).padStart(2, '0')
    const file = `${hex(major)}:${hex(minor)}:${ino}`
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const fields = line.trim().split(/\s+/)
      const pid = Number(fields[4])
      if (fields[5] === file && pid > 0) return pid
    }
    return null
  } catch {
    return null
  }
}
