import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { Digest } from '../../../core/ids.ts'
import type { BasaltError } from '../../../errors.ts'
import { fsyncFailed, onDisk } from '../../../util/disk-error.ts'
import { digestOfFile } from '../../../util/file-digest.ts'
import { refusal } from './refusal.ts'

/** Appends to files and hashes what it appends, so that a file need not be read again. */
export interface UploadWriter {
  /**
   * Keeps what has come when `bytes` breaks off. Rejects with SIZE_INVALID unless `length` bytes come; null: as many as
   * there are. Resolves with the file's new size.
   */
  append(path: string, bytes: AsyncIterable<Uint8Array>, length: number | null): Promise<number>
  /** Of the whole file; read again where another process wrote a part of it. */
  digest(path: string, sizeBytes: number): Promise<Digest>
  forget(path: string): void
}

interface Progress {
  readonly hash: Hash
  hashedBytes: number
}

export function createUploadWriter(): UploadWriter {
  const progresses = new Map<string, Progress>()

  /** Where another process began the file, what is hashed here is never used. */
  const progressAt = (path: string, sizeBytes: number): Progress => {
    const found = progresses.get(path) ?? { hash: createHash('sha256'), hashedBytes: 0 }
    if (found.hashedBytes === sizeBytes) progresses.set(path, found)
    return found
  }

  return {
    async append(path, bytes, length) {
      const file = await onDisk(path, open(path, 'a'))
      try {
        const before = (await file.stat()).size
        const progress = progressAt(path, before)
        let written = 0
        for await (const part of bytes) {
          if (length !== null && written + part.byteLength > length) throw wrongLength(length)
          const isWritten = onDisk(path, writeAll(file, part))
          // On this thread, while another one writes.
          progress.hash.update(part)
          await isWritten.catch((cause: unknown) => {
            // More is hashed than was written.
            progresses.delete(path)
            throw cause
          })
          written += part.byteLength
          progress.hashedBytes += part.byteLength
        }
        if (length !== null && written !== length) throw wrongLength(length)
        return before + written
      } finally {
        await file.close()
      }
    },
    async digest(path, sizeBytes) {
      const progress = progresses.get(path)
      if (progress?.hashedBytes !== sizeBytes) return digestOfFile(path)
      return `sha256:${progress.hash.copy().digest('hex')}`
    },
    forget(path) {
      progresses.delete(path)
    },
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.byteLength; )
    written += (await file.write(bytes, written, bytes.byteLength - written)).bytesWritten
}

/** On the disk, and nobody may write it again. */
export async function sealFile(path: string): Promise<void> {
  const file = await onDisk(path, open(path, 'r+'))
  try {
    await onDisk(path, file.chmod(0o444))
    await file.sync().catch((cause: unknown) => {
      throw fsyncFailed(path, cause)
    })
  } finally {
    await file.close()
  }
}

const wrongLength = (expected: number): BasaltError =>
  refusal('SIZE_INVALID', `the chunk should have ${expected} bytes by its Content-Range`)
