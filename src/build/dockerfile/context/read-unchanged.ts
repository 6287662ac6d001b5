import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { BasaltError } from '../../../errors.ts'
import type { ContextEntry } from './context-walk.ts'

const chunkSize = 1 << 18

/**
 * The bytes of a file of the context, as long as it is the one that was listed, from its first byte to its last. Throws
 * `build.failed` otherwise. A chunk is good until the next one is asked for.
 */
export function* readUnchanged(entry: ContextEntry): Generator<Buffer> {
  let descriptor: number
  try {
    descriptor = openSync(entry.file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw new BasaltError('build.failed', {
      message: `${entry.file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    })
  }
  try {
    if (!isSame(descriptor, entry)) throw changed(entry.file)
    const chunk = Buffer.allocUnsafe(Math.min(chunkSize, Math.max(entry.sizeBytes, 1)))
    for (let done = 0; done < entry.sizeBytes; ) {
      const count = readSync(descriptor, chunk, 0, Math.min(chunk.byteLength, entry.sizeBytes - done), done)
      if (count === 0) throw changed(entry.file)
      done += count
      yield chunk.subarray(0, count)
    }
    if (!isSame(descriptor, entry)) throw changed(entry.file)
  } finally {
    closeSync(descriptor)
  }
}

function isSame(descriptor: number, { state, sizeBytes }: ContextEntry): boolean {
  const found = fstatSync(descriptor, { bigint: true })
  return (
    found.isFile() &&
    found.dev === state.device &&
    found.ino === state.inode &&
    found.mtimeNs === state.mtimeNs &&
    found.ctimeNs === state.ctimeNs &&
    found.size === BigInt(sizeBytes)
  )
}

const changed = (file: string): BasaltError =>
  new BasaltError('build.failed', {
    message: `${file} changed while it was read`,
    remedy: 'Build again when nothing writes to the folder any more.',
  })
