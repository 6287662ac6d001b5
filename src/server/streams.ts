import { BasaltError } from '../errors.ts'
import type { StreamLine } from './protocol.ts'
import { toWireError } from './wire-error.ts'

const encode = (line: StreamLine): string => `${JSON.stringify(line)}\n`

/**
 * An iterable whose first item, failure or end is known if it came within `patienceMs`. So a call that fails at
 * once can still answer with a proper HTTP status, and one that waits for its first event does not hold its
 * headers back.
 */
export async function settleFirst<Item>(
  items: AsyncIterable<Item>,
  patienceMs: number,
): Promise<AsyncGenerator<Item>> {
  const iterator = items[Symbol.asyncIterator]()
  const first = iterator.next()
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs)
  })
  try {
    await Promise.race([first, patience])
  } finally {
    clearTimeout(timer)
  }
  // Whoever iterates sees it; until then it must not count as unhandled.
  first.catch(() => {})
  return resume(first, iterator)
}

async function* resume<Item>(
  first: Promise<IteratorResult<Item>>,
  iterator: AsyncIterator<Item>,
): AsyncGenerator<Item> {
  try {
    for (let next = await first; !next.done; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

/** Items as NDJSON; a failure on the way becomes the last line. */
export async function* itemLines(items: AsyncIterable<unknown>): AsyncGenerator<string> {
  try {
    for await (const item of items) yield encode({ type: 'item', item })
  } catch (error) {
    yield encode({ type: 'error', error: toWireError(error) })
  }
}

/** What `run` notifies as items, then its result or its error, as NDJSON. */
export async function* progressLines(
  run: (notify: (item: unknown) => void) => Promise<unknown>,
): AsyncGenerator<string> {
  const pending: string[] = []
  let wake = (): void => {}
  let ended = false
  const push = (line: StreamLine): void => {
    pending.push(encode(line))
    wake()
  }
  const finished = run((item) => push({ type: 'item', item }))
    .then(
      (result) => push({ type: 'result', result }),
      (error: unknown) => push({ type: 'error', error: toWireError(error) }),
    )
    .finally(() => {
      ended = true
      wake()
    })
  while (!ended || pending.length > 0) {
    if (pending.length > 0) yield pending.splice(0).join('')
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  await finished
}

/** Ends the stream with `request.interrupted` when the server stops, whatever the engine's iterable does. */
export async function* untilAborted<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]()
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = (): void =>
      reject(
        new BasaltError('request.interrupted', {
          message: 'the server is stopping; instances go on serving',
          remedy: 'Run the command again: it starts the server, or waits for the new one.',
        }),
      )
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  aborted.catch(() => {})
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted])
      if (next.done) return
      yield next.value
    }
  } finally {
    // Not awaited: a generator that waits for something cannot return before it got it.
    void iterator.return?.()?.catch(() => {})
  }
}
