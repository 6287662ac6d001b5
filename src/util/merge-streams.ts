/** All items of all streams, each as soon as it comes; ends when all have ended, fails when one fails. */
export async function* mergeStreams<Item>(streams: readonly AsyncIterable<Item>[]): AsyncGenerator<Item> {
  const iterators = new Map(streams.map((stream, index) => [index, stream[Symbol.asyncIterator]()]))
  const next = async (index: number, iterator: AsyncIterator<Item>) => ({
    index,
    result: await iterator.next(),
  })
  const pending = new Map([...iterators].map(([index, iterator]) => [index, next(index, iterator)]))
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values())
      const iterator = iterators.get(index)
      if (result.done === true || iterator === undefined) {
        pending.delete(index)
        continue
      }
      pending.set(index, next(index, iterator))
      yield result.value
    }
  } finally {
    for (const index of pending.keys()) void iterators.get(index)?.return?.()
  }
}
