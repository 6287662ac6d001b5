import { join } from 'node:path'
import type { Digest } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore, StoredBlob } from '../../content-store.ts'
import type { ByteRange } from './byte-range.ts'
import { refusal } from './refusal.ts'
import { keepRefused } from './refused-content.ts'
import { createUploadFiles, type Upload } from './upload-files.ts'
import { createUploadWriter, sealFile } from './upload-writer.ts'

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
   * removes the upload when the disk is full. Resolves with the new size. Rejects with status 416 unless the upload ends
   * where the chunk starts, with SIZE_INVALID when the chunk is not as long as it says.
   */
  append(upload: Upload, bytes: AsyncIterable<Uint8Array>, chunk?: ByteRange | null): Promise<number>
  /** Moves it into the content store. Rejects with DIGEST_INVALID, and keeps the bytes as evidence. */
  finish(upload: Upload, expected: Digest): Promise<StoredBlob>
  /** Cancelling what is gone is success. */
  cancel(upload: Upload): Promise<void>
  /** Removes those that nobody has written to for a day. */
  tidy(): Promise<void>
}

const abandonedMs = 24 * 3_600_000

export function createUploads(content: ContentStore, now: () => number): Uploads {
  const files = createUploadFiles(join(content.folder, 'uploads'))
  const writer = createUploadWriter()
  const busy = new Set<string>()

  const remove = async (id: string): Promise<void> => {
    writer.forget(files.dataOf(id))
    await files.remove(id)
  }

  const assertIdle = (id: string): void => {
    if (busy.has(id))
      throw refusal('BLOB_UPLOAD_INVALID', `another request writes to the upload ${id}`, { status: 409 })
  }

  /** Works on the upload as it is then. */
  const alone = async <T>({ id, repository }: Upload, work: (found: Upload) => Promise<T>): Promise<T> => {
    assertIdle(id)
    busy.add(id)
    try {
      return await work(await files.find(repository, id))
    } catch (cause) {
      // What cannot be finished must not take the little space that is left.
      if (cause instanceof BasaltError && cause.code === 'host.disk-full') await remove(id)
      throw cause
    } finally {
      busy.delete(id)
    }
  }

  return {
    begin: (repository) => files.begin(repository),
    find: (repository, id) => files.find(repository, id),
    append: (upload, bytes, chunk = null) =>
      alone(upload, async ({ id, sizeBytes }) => {
        if (chunk !== null && chunk.start !== sizeBytes) throw outOfOrder(id, chunk, sizeBytes)
        return writer.append(files.dataOf(id), bytes, chunk === null ? null : chunk.end - chunk.start + 1)
      }),
    finish: (upload, expected) =>
      alone(upload, async ({ id, sizeBytes }) => {
        const path = files.dataOf(id)
        const digest = await writer.digest(path, sizeBytes)
        if (digest !== expected) {
          await keepRefused(content.folder, path, { actual: digest, expected }, now())
          await remove(id)
          throw otherDigest({ actual: digest, expected }, sizeBytes)
        }
        await sealFile(path)
        await content.take(path, { digest, sizeBytes })
        await remove(id)
        return { digest, sizeBytes }
      }),
    async cancel({ id }) {
      assertIdle(id)
      await remove(id)
    },
    async tidy() {
      for (const [id, touchedAt] of await files.touched())
        if (!busy.has(id) && now() - touchedAt > abandonedMs) await remove(id)
    },
  }
}

const outOfOrder = (id: string, { start }: ByteRange, sizeBytes: number): BasaltError =>
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
