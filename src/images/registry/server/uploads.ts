import { createHash, type Hash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import { diskError, fsyncFailed, onDisk } from '../../../util/disk-error.ts'
import { digestOfFile } from '../../../util/file-digest.ts'
import type { ContentStore, StoredBlob } from '../../content-store.ts'
import { refusal } from './refusal.ts'
import { keepRefused } from './refused-content.ts'

/**
 * Blobs on their way in (distribution-spec, "Pushing Blobs"). They are files beside the content store, so an upload goes
 * on where its file ends, also after the server was killed. Bytes are hashed as they come.
 */
export interface Uploads {
  begin(repository: string): Promise<Upload>
  /** Rejects with BLOB_UPLOAD_UNKNOWN. */
  find(repository: string, id: string): Promise<Upload>
  /**
   * Writes to the end; one caller at a time. Keeps what has come when `bytes` breaks off, so that the client can go on;
   * removes the upload when the disk is full. Resolves with the new size. Rejects with RANGE_INVALID unless the upload
   * ends where the chunk starts, SIZE_INVALID when the chunk is not as long as it says.
   */
  append(upload: Upload, bytes: AsyncIterable<Uint8Array>, chunk?: Chunk | null): Promise<number>
  /** Moves it into the content store. Rejects with DIGEST_INVALID, and keeps the bytes as evidence. */
  finish(upload: Upload, expected: Digest): Promise<StoredBlob>
  cancel(upload: Upload): Promise<void>
  /** Removes those that nobody has written to for a day. */
  tidy(): Promise<void>
}

export interface Upload {
  readonly id: string
  readonly repository: string
  /** Received so far. */
  readonly sizeBytes: number
}

/** Bytes from `start` up to and including `end`. */
export interface Chunk {
  readonly start: number
  readonly end: number
}

const abandonedMs = 24 * 3_600_000
const idPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What was hashed of an upload by this process. */
interface Progress {
  readonly hash: Hash
  hashedBytes: number
}

export function createUploads(content: ContentStore, now: () => number): Uploads {
  const folder = join(content.folder, 'uploads')
  const progresses = new Map<string, Progress>()
  const busy = new Set<string>()
  const pathOf = (id: string): string => join(folder, id)
  const dataOf = (id: string): string => join(pathOf(id), 'data')

  const sizeOf = (id: string): Promise<number> => stat(dataOf(id)).then(({ size }) => size)

  const remove = async (id: string): Promise<void> => {
    progresses.delete(id)
    await rm(pathOf(id), { recursive: true, force: true })
  }

  const alone = async <Result>({ id }: Upload, work: () => Promise<Result>): Promise<Result> => {
    if (busy.has(id))
      throw refusal('BLOB_UPLOAD_INVALID', `another request writes to the upload ${id}`, { status: 409 })
    busy.add(id)
    try {
      return await work()
    } catch (cause) {
      // What cannot be finished must not take the little space that is left.
      if (isDiskFull(cause)) await remove(id)
      throw cause
    } finally {
      busy.delete(id)
    }
  }

  const find = async (repository: string, id: string): Promise<Upload> => {
    const owner = idPattern.test(id)
      ? await readFile(join(pathOf(id), 'repository'), 'utf8').catch(() => null)
      : null
    const sizeBytes = owner === repository ? await sizeOf(id).catch(() => null) : null
    if (sizeBytes === null) throw refusal('BLOB_UPLOAD_UNKNOWN', `there is no upload ${id} to ${repository}`)
    return { id, repository, sizeBytes }
  }

  const write = async (
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    limit: number | null,
  ): Promise<number> => {
    const path = dataOf(id)
    const file = await onDisk(path, open(path, 'a'))
    try {
      const before = (await file.stat()).size
      const progress = progresses.get(id) ?? { hash: createHash('sha256'), hashedBytes: 0 }
      // A file that another process began is hashed as a whole in the end.
      if (progress.hashedBytes === before) progresses.set(id, progress)
      let written = 0
      for await (const bytesOfChunk of bytes) {
        if (limit !== null && written + bytesOfChunk.byteLength > limit) throw wrongLength(limit)
        await onDisk(path, writeAll(file, bytesOfChunk))
        written += bytesOfChunk.byteLength
        progress.hash.update(bytesOfChunk)
        progress.hashedBytes += bytesOfChunk.byteLength
      }
      if (limit !== null && written !== limit) throw wrongLength(limit)
      return before + written
    } finally {
      await file.close()
    }
  }

  return {
    async begin(repository) {
      const id = randomUUID()
      await onDisk(folder, mkdir(pathOf(id), { recursive: true, mode: 0o700 }))
      try {
        await writeFile(dataOf(id), '')
        await writeFile(join(pathOf(id), 'repository'), repository)
      } catch (cause) {
        await remove(id)
        throw diskError(pathOf(id), cause)
      }
      return { id, repository, sizeBytes: 0 }
    },
    find,
    append: (upload, bytes, chunk = null) =>
      alone(upload, async () => {
        const { sizeBytes } = await find(upload.repository, upload.id)
        if (chunk !== null && chunk.start !== sizeBytes) throw outOfOrder(upload.id, chunk, sizeBytes)
        return write(upload.id, bytes, chunk === null ? null : chunk.end - chunk.start + 1)
      }),
    finish: (upload, expected) =>
      alone(upload, async () => {
        const { id } = upload
        const { sizeBytes } = await find(upload.repository, id)
        const progress = progresses.get(id)
        const isHashed = progress?.hashedBytes === sizeBytes
        const actual: Digest = isHashed
          ? `sha256:${progress.hash.copy().digest('hex')}`
          : await digestOfFile(dataOf(id))
        if (actual !== expected) {
          await keepRefused(content.folder, dataOf(id), { actual, expected }, now())
          await remove(id)
          throw otherDigest({ actual, expected }, sizeBytes)
        }
        await makeDurable(dataOf(id))
        const blob: StoredBlob = { digest: actual, sizeBytes }
        await content.take(dataOf(id), blob)
        await remove(id)
        return blob
      }),
    cancel: (upload) => alone(upload, () => remove(upload.id)),
    async tidy() {
      for (const id of await readdir(folder).catch((): string[] => [])) {
        const touched = await stat(dataOf(id)).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        )
        if (!busy.has(id) && now() - touched > abandonedMs) await remove(id)
      }
    },
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.byteLength; )
    written += (await file.write(bytes, written, bytes.byteLength - written)).bytesWritten
}

async function makeDurable(path: string): Promise<void> {
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

const isDiskFull = (cause: unknown): boolean =>
  cause instanceof BasaltError && cause.code === 'host.disk-full'

const wrongLength = (expected: number): BasaltError =>
  refusal('SIZE_INVALID', `the chunk should have ${expected} bytes by its Content-Range`)

const outOfOrder = (id: string, { start }: Chunk, sizeBytes: number): BasaltError =>
  refusal(
    'BLOB_UPLOAD_INVALID',
    `the upload ${id} has ${sizeBytes} bytes, but the chunk starts at ${start}`,
    {
      status: 416,
      detail: { sizeBytes, start },
    },
  )

/** For uploads and for manifests alike. */
export const otherDigest = (
  { actual, expected }: { readonly actual: Digest; readonly expected: Digest },
  sizeBytes: number,
): BasaltError =>
  refusal('DIGEST_INVALID', `the ${sizeBytes} bytes that came have the digest ${actual}, not ${expected}`, {
    detail: { actual, expected, sizeBytes },
  })
