import { Readable } from 'node:stream'
import { extract, type Header } from 'tar-stream'
import type { Op } from '../core/op.ts'

const maxMembers = 200_000

/** One member; its content must be read to its end, unless it is of no interest. */
export interface TarMember {
  readonly header: Header
  readonly content: AsyncIterable<Buffer>
}

/** The members of a tar as it arrives, one after the other. Whoever stops early takes no more of the source. */
export async function* tarMembers(
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): AsyncGenerator<TarMember> {
  const archive = extract()
  const source = Readable.from(bytes, { signal: op.signal, objectMode: false })
  source.on('error', (cause) => archive.destroy(cause))
  source.pipe(archive)
  let members = 0
  try {
    for await (const member of archive) {
      if (++members > maxMembers) throw new RangeError(`it has more than ${maxMembers} members`)
      yield { header: member.header, content: member as unknown as AsyncIterable<Buffer> }
      // What nobody has read would hold up all that follows.
      member.resume()
    }
  } finally {
    source.destroy()
    archive.destroy()
  }
}
