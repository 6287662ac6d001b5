/** A line that a container wrote. */
export interface EngineLogLine {
  /** Milliseconds since the epoch when the Engine read it. */
  readonly at: number
  readonly text: string
}

const headerBytes = 8

/**
 * Reads what the Engine sends for the output of a container without a terminal (Engine API, "Attach to a container",
 * stream format), with time stamps: frames of a stream's number and a length, each with an entry `<RFC 3339> <bytes>`.
 * A long line comes in several entries, of which only the last ends in a line feed.
 */
export async function* logLines(frames: AsyncIterable<Buffer>): AsyncGenerator<EngineLogLine> {
  const begun = new Map<number, EngineLogLine>()
  for await (const { stream, entry } of logEntries(frames)) {
    const space = entry.indexOf(' ')
    const before = begun.get(stream)
    const at = before?.at ?? timeOf(entry.slice(0, space))
    const text = (before?.text ?? '') + entry.slice(space + 1)
    if (text.endsWith('\n')) {
      begun.delete(stream)
      yield { at, text: text.replace(/\r?\n$/, '') }
    } else begun.set(stream, { at, text })
  }
  yield* begun.values()
}

const timeOf = (text: string): number => {
  const at = Date.parse(text)
  return Number.isNaN(at) ? 0 : at
}

async function* logEntries(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly stream: number; readonly entry: string }> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= headerBytes) {
      const end = headerBytes + rest.readUInt32BE(4)
      if (rest.length < end) break
      yield { stream: rest[0] ?? 0, entry: rest.toString('utf8', headerBytes, end) }
      rest = rest.subarray(end)
    }
  }
}
