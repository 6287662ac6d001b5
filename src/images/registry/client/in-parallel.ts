import type { Op } from '../../../core/op.ts'
import { createConcurrencyLimit } from '../../../util/concurrency-limit.ts'

/** Blobs on their way at the same time, as Docker has it or a little more. */
const limit = 4

/**
 * Does a few at a time. The first failure ends the others, and is what this rejects with, when all of them have ended: so
 * nothing goes on for nobody.
 */
export async function inParallel<Item>(
  items: Iterable<Item>,
  op: Op,
  work: (item: Item, op: Op) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const own = { ...op, signal: AbortSignal.any([op.signal, stop.signal]) }
  const limited = createConcurrencyLimit(limit)
  const failures: unknown[] = []
  await Promise.all(
    [...items].map((item) =>
      limited(async () => {
        own.signal.throwIfAborted()
        await work(item, own)
      }).catch((error: unknown) => {
        failures.push(error)
        stop.abort(error)
      }),
    ),
  )
  op.signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}
