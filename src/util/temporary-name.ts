import { randomBytes } from 'node:crypto'
import { isProcessAlive } from './process-alive.ts'

const ownToken = randomBytes(8).toString('hex')
let counter = 0

/**
 * A name for what is being made: `<pid>-<token>-<number>`. Numbers of processes are used again, after a restart of the
 * machine or in a container even the same one; the token is not, so that nobody goes on with what another one began.
 */
export const temporaryName = (): string => `${process.pid}-${ownToken}-${++counter}`

const pattern = /(?:^|\.)(\d+)-([0-9a-f]{16})-\d+(?:\.[a-z]+)?$/

/** Whether a file's name holds or is a `temporaryName` of a process that has ended. */
export function isLeftover(name: string): boolean {
  const [, pid, token] = pattern.exec(name) ?? []
  if (pid === undefined) return false
  return Number(pid) === process.pid ? token !== ownToken : !isProcessAlive(Number(pid))
}
