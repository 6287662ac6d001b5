import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Digest } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore } from '../../content-store.ts'
import type { ByteRange } from './byte-range.ts'

const readBytes = 256 * 1024

/**
 * A blob's bytes as they are on the disk. The last ones are held back until all have the right hash: of a blob that went
 * bad nobody gets a whole one, and the content store moves it aside (rejects with `content.corrupt`). A part of a blob
 * cannot be verified; who puts parts together has the digest.
 */
export async function* verifiedBytes(
  content: ContentStore,
  digest: Digest,
  range: ByteRange | null,
): AsyncGenerator<Buffer> {
  const options = { highWaterMark: readBytes, ...range }
  const stream = createReadStream(content.path(digest), options)
  if (range !== null) {
    for await (const chunk of stream) yield chunk as Buffer
    return
  }
  const hash = createHash('sha256')
  let held: Buffer | null = null
  for await (const chunk of stream) {
    hash.update(chunk as Buffer)
    if (held !== null) yield held
    held = chunk as Buffer
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (actual !== digest) {
    await content.verify(digest)
    // The blob is good: only what was read this time was not.
    throw new BasaltError('content.corrupt', {
      message: `${content.path(digest)} was read as ${actual}`,
      remedy: 'Check the disk and the memory, and pull again.',
      details: { digest, actual },
    })
  }
  if (held !== null) yield held
}
