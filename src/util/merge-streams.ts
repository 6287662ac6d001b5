import { createWake } from './wake.ts'

interface Waiting<Item> {
  readonly item: Item
  readonly take: () => void
}

/**
 * All items of all streams, each as soon as it comes. The streams come one by one as well. Ends when all of them and
 * their source have ended, fails when one fails. A stream is asked for its next item when its last one was taken.
 */
export async function* mergeStreams<Item>(
  source: AsyncIterable<AsyncIterable<Item>>,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const waiting: Waiting<Item>[] = []
  const open = new Set<AsyncIterator<unknown>>()
  const failures: unknown[] = []
  const wake = createWake()

  async function pump<Value>(stream: AsyncIterable<Value>, put: (value: Value) => unknown): Promise<void> {
    const iterator = stream[Symbol.asyncIterator]()
    open.add(iterator)
    try {
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
        await put(next.value)
    } catch (error) {
      failures.push(error)
    }
    open.delete(iterator)
    wake.nudge()
  }

  const offer = (item: Item): Promise<void> =>
    new Promise((take) => {
      waiting.push({ item, take })
      wake.nudge()
    })

  void pump(source, (stream) => void pump(stream, offer))
  try {
    while (!signal.aborted) {
      const next = waiting.shift()
      if (next !== undefined) {
        yield next.item
        next.take()
      } else if (failures.length > 0) throw failures[0]
      else if (open.size === 0) return
      else await wake.sleep(60_000, signal)
    }
  } finally {
    for (const iterator of open) void iterator.return?.()
  }
}
