import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { BasaltError, invariant } from '../errors.ts'
import type { FileRange, TarContent, TarEntry } from './tar-entry.ts'
import { tarHeader } from './tar-header.ts'

const blockSize = 512
const chunkSize = 1 << 20
const chunkCount = 8

/**
 * Writes a POSIX tar: ustar headers, and pax headers (POSIX.1-2001) only for what ustar cannot say. The bytes depend
 * on the entries and their order alone. Yields chunks of up to 1 MiB; other work gets its turn between them.
 *
 * A chunk's memory is used again for the eighth one after it, as fresh memory costs more than what is done with it: who
 * wants to keep a chunk copies it. A stream that reads ahead by a few chunks is fine.
 */
export async function* writeTar(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array> {
  const chunks: Buffer[] = []
  const nextChunk = (): Buffer => {
    const recycled = chunks.length < chunkCount ? undefined : chunks.shift()
    const next = recycled ?? Buffer.allocUnsafeSlow(chunkSize)
    chunks.push(next)
    return next
  }
  let chunk = nextChunk()
  let used = 0

  for (const entry of entries) {
    for (const part of partsOf(entry)) {
      let done = 0
      while (done < part.sizeBytes) {
        if (used === chunkSize) {
          yield chunk
          // Reading is synchronous, as that is several times faster for small files; this keeps it polite.
          await yieldToEventLoop()
          chunk = nextChunk()
          used = 0
        }
        const count = Math.min(part.sizeBytes - done, chunkSize - used)
        part.copy(chunk.subarray(used, used + count), done)
        used += count
        done += count
      }
    }
  }
  // The end of an archive: two blocks of zeros.
  if (used > 0) yield chunk.subarray(0, used)
  yield Buffer.alloc(2 * blockSize)
}

/** A stretch of the archive that can fill a buffer from any position on, front to back. */
interface Part {
  readonly sizeBytes: number
  copy(into: Buffer, position: number): void
}

function* partsOf(entry: TarEntry): Generator<Part> {
  const sizeBytes = entry.kind === 'file' ? contentSize(entry.content) : 0
  yield bytesPart(tarHeader(entry, sizeBytes))
  if (entry.kind !== 'file' || sizeBytes === 0) return
  if (entry.content instanceof Uint8Array) yield bytesPart(entry.content)
  else yield* filePart(entry.content)
  const padding = (blockSize - (sizeBytes % blockSize)) % blockSize
  if (padding > 0) yield { sizeBytes: padding, copy: (into) => void into.fill(0) }
}

const contentSize = (content: TarContent): number =>
  content instanceof Uint8Array ? content.byteLength : content.sizeBytes

const bytesPart = (bytes: Uint8Array): Part => ({
  sizeBytes: bytes.byteLength,
  copy: (into, position) => into.set(bytes.subarray(position, position + into.byteLength)),
})

function* filePart(range: FileRange): Generator<Part> {
  const descriptor = openUnchanged(range)
  try {
    yield {
      sizeBytes: range.sizeBytes,
      copy(into, position) {
        let done = 0
        while (done < into.byteLength) {
          const count = readSync(
            descriptor,
            into,
            done,
            into.byteLength - done,
            range.offset + position + done,
          )
          if (count === 0) throw changed(range.file)
          done += count
        }
      },
    }
    // Other work had its turn meanwhile, and writers of other processes always have.
    if (!isUnchanged(descriptor, range)) throw changed(range.file)
  } finally {
    closeSync(descriptor)
  }
}

function openUnchanged(range: FileRange): number {
  invariant(range.sizeBytes >= 0 && range.offset >= 0, `${range.file} has a negative range`)
  let descriptor: number
  try {
    descriptor = openSync(range.file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw new BasaltError('build.failed', {
      message: `${range.file} cannot be read: ${reasonOf(cause)}`,
      cause,
    })
  }
  if (isUnchanged(descriptor, range)) return descriptor
  closeSync(descriptor)
  throw changed(range.file)
}

function isUnchanged(descriptor: number, { expected, offset, sizeBytes }: FileRange): boolean {
  if (expected === undefined) return true
  const found = fstatSync(descriptor, { bigint: true })
  return (
    found.isFile() &&
    found.dev === expected.device &&
    found.ino === expected.inode &&
    found.mtimeNs === expected.mtimeNs &&
    found.ctimeNs === expected.ctimeNs &&
    found.size === BigInt(offset + sizeBytes)
  )
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const changed = (file: string): BasaltError =>
  new BasaltError('build.failed', {
    message: `${file} changed while it was read`,
    remedy: 'Build again when nothing writes to the folder any more.',
  })
