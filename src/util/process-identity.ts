import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Names one process for ever: numbers are used again, but not with the same start time in the same boot. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot: field 22 of /proc/<pid>/stat (proc(5)). */
  readonly startTicks: string
  readonly bootId: string
}

/** null when no such process runs; one that has ended but was not collected does not run. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  const stat = readStat(pid)
  if (stat === null) return null
  // The program's name stands in parentheses and may contain anything, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTicks] = [fields[0], fields[19]]
  if (startTicks === undefined || state === 'Z' || state === 'X') return null
  return { pid, startTicks, bootId: await currentBootId() }
}

/** The kernel answers from memory: by way of a thread it would cost a server with many instances ten times as much. */
function readStat(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
}

export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(identity.pid)
  return now !== null && now.startTicks === identity.startTicks && now.bootId === identity.bootId
}

export const identityText = ({ pid, startTicks, bootId }: ProcessIdentity): string =>
  `${bootId}:${pid}:${startTicks}`

let bootId: Promise<string> | undefined

/** Changes with every boot of the kernel, which no process outlives: read once. */
export function currentBootId(): Promise<string> {
  bootId ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((text) => text.trim())
  return bootId
}
