import { createHash } from 'node:crypto'
import { access, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { digestOfBytes } from '../core/digest.ts'
import { type Digest, isDigest } from '../core/ids.ts'
import { BasaltError, invariant } from '../errors.ts'
import { syncFolder } from '../util/atomic-write.ts'
import { coalesce } from '../util/coalesce.ts'
import { diskError, fsyncFailed, onDisk } from '../util/disk-error.ts'
import { digestOfFile } from '../util/file-digest.ts'
import type { ContentStore, StoredBlob } from './content-store.ts'

/** `blobs/sha256` of an OCI image layout: the part of a content store that holds bytes. */
export type BlobFolder = Pick<ContentStore, 'path' | 'has' | 'size' | 'put' | 'adopt' | 'take'>

/**
 * A blob costs one fsync of its file, and one of the folder that all who store something at the same time share:
 * twenty at once take a few milliseconds more than one.
 *
 * @param temporary gives a new name on the same disk for each blob in progress
 */
export function createBlobFolder(folder: string, temporary: () => string): BlobFolder {
  /** Renamed into place, but the folder is not known to be on disk yet. */
  const unsynced = new Set<Digest>()
  const sync = coalesce(failForGood(() => syncFolder(folder)))

  const path = (digest: Digest): string => {
    invariant(isDigest(digest), `${digest} is not a digest`)
    return join(folder, digest.slice('sha256:'.length))
  }

  /** `from` is durable itself already. */
  const moveIn = async (blobs: ReadonlyMap<Digest, string>): Promise<void> => {
    for (const [digest, from] of blobs) {
      unsynced.add(digest)
      await onDisk(folder, rename(from, path(digest)))
    }
    await sync()
    for (const digest of blobs.keys()) unsynced.delete(digest)
  }

  /** True when the blob is there, right and durable. */
  const isKept = async (blob: StoredBlob): Promise<boolean> => {
    if (!(await isIntact(path(blob.digest), blob))) return false
    // Another put may have renamed it just now: then it is durable only after the next sync.
    if (unsynced.has(blob.digest)) await sync()
    return true
  }

  return {
    path,
    has: (digest) => exists(path(digest)),
    size: (digest) => sizeOf(path(digest), digest),
    async put(content, expected) {
      if (content instanceof Uint8Array) {
        const blob = { digest: digestOfBytes(content), sizeBytes: content.byteLength }
        assertExpected(blob, expected)
        if (await isKept(blob)) return blob
      }
      const file = temporary()
      try {
        const blob = await writeBlob(file, content, expected)
        if (content instanceof Uint8Array || !(await isKept(blob)))
          await moveIn(new Map([[blob.digest, file]]))
        return blob
      } finally {
        await rm(file, { force: true })
      }
    },
    async take(file, blob) {
      if (await isKept(blob)) await rm(file, { force: true })
      else await moveIn(new Map([[blob.digest, file]]))
    },
    adopt: (from, digests) => moveIn(new Map(digests.map((digest) => [digest, from.path(digest)]))),
  }
}

/** A put of good bytes mends a corrupt blob, so being there is not enough. */
async function isIntact(path: string, { digest, sizeBytes }: StoredBlob): Promise<boolean> {
  if (!(await exists(path)) || (await sizeOf(path, digest)) !== sizeBytes) return false
  return (await digestOfFile(path)) === digest
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function sizeOf(path: string, digest: Digest): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw (cause as NodeJS.ErrnoException).code === 'ENOENT'
      ? unknownBlob(digest, cause)
      : diskError(path, cause)
  })
  return found.size
}

/** Writes, hashes and fsyncs a new file that nobody may write again. */
async function writeBlob(
  temporary: string,
  content: Uint8Array | Readable,
  expected: Digest | undefined,
): Promise<StoredBlob> {
  const file = await onDisk(temporary, open(temporary, 'wx', 0o444))
  try {
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of chunksOf(content)) {
      hash.update(chunk)
      sizeBytes += chunk.byteLength
      await onDisk(temporary, file.writeFile(chunk))
    }
    const blob: StoredBlob = { digest: `sha256:${hash.digest('hex')}`, sizeBytes }
    assertExpected(blob, expected)
    await onDisk(temporary, file.chmod(0o444))
    await file.sync().catch((cause: unknown) => {
      throw fsyncFailed(temporary, cause)
    })
    return blob
  } finally {
    await file.close()
  }
}

/** A folder whose fsync failed once is not trusted again: the kernel reports lost writes only once. */
function failForGood(work: () => Promise<void>): () => Promise<void> {
  let failure: Promise<void> | undefined
  return () => {
    if (failure !== undefined) return failure
    const run = work()
    run.catch(() => {
      failure = run
    })
    return run
  }
}

async function* chunksOf(content: Uint8Array | Readable): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content
  else
    for await (const chunk of content)
      yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
}

function assertExpected(blob: StoredBlob, expected: Digest | undefined): void {
  if (expected === undefined || blob.digest === expected) return
  throw new BasaltError('content.corrupt', {
    message: `content that should be ${expected} is ${blob.digest} (${blob.sizeBytes} bytes)`,
    remedy: 'Fetch or build it again.',
    details: { expected, actual: blob.digest },
  })
}

const unknownBlob = (digest: Digest, cause: unknown): BasaltError =>
  new BasaltError('image.unknown', {
    message: `${digest} is not in the content store`,
    remedy:
      'Build or import again what needs it: `basalt build`, `basalt image import` or `basalt release import`.',
    details: { digest },
    cause,
  })
