import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'

/** Throws `request.interrupted` once nobody waits for the work any more. */
export function throwIfAborted(op: Op, work: string): void {
  if (op.signal.aborted)
    throw new BasaltError('request.interrupted', {
      message: `${work} was interrupted`,
      cause: op.signal.reason,
    })
}
