import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Header } from 'tar-stream'
import { type Digest, isDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, StoredBlob } from './content-store.ts'
import { tarMembers } from './tar-members.ts'

const maxFileBytes = 64 * 2 ** 30
/** Of links that lead to links. */
const maxHops = 8

/**
 * The files of a tar, as blobs of `staging`: path to blob, links followed. A tar that is compressed with gzip is
 * decompressed on the way. What a path names a digest for must have that digest. Rejects with `image.invalid`.
 */
export async function readImageArchive(
  staging: ContentStore,
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): Promise<ReadonlyMap<string, StoredBlob>> {
  const files = new Map<string, StoredBlob>()
  const links = new Map<string, string>()
  try {
    for await (const { header, content } of tarMembers(uncompressed(bytes), op)) {
      const path = cleanPath(header.name)
      const target = linkTarget(header, path)
      if (target !== null) links.set(path, target)
      if (header.type !== 'file') continue
      if (files.has(path)) throw archiveInvalid(`it has ${path} twice`)
      if ((header.size ?? 0) > maxFileBytes) throw archiveInvalid(`its ${path} has ${header.size} bytes`)
      files.set(path, await staging.put(Readable.from(content, { objectMode: false }), digestIn(path)))
    }
  } catch (cause) {
    throw translate(cause, op)
  }
  for (const [path, target] of links) {
    const found = follow(target, files, links)
    if (found !== null) files.set(path, found)
  }
  return files
}

export const archiveInvalid = (reason: string, cause?: unknown): BasaltError =>
  new BasaltError('image.invalid', {
    message: `the archive cannot be imported: ${reason}`,
    remedy:
      'Name a folder or an archive that `skopeo copy docker://NAME oci:FOLDER`, `docker save` or another tool wrote as an OCI layout.',
    ...(cause === undefined ? {} : { cause }),
  })

const cleanPath = (name: string): string => posix.normalize(name).replace(/\/$/, '')

/** `docker save` links layers that two images share. */
function linkTarget({ type, linkname }: Header, path: string): string | null {
  if (typeof linkname !== 'string') return null
  if (type === 'link') return cleanPath(linkname)
  return type === 'symlink' ? posix.join(posix.dirname(path), linkname) : null
}

function follow(
  target: string,
  files: ReadonlyMap<string, StoredBlob>,
  links: ReadonlyMap<string, string>,
): StoredBlob | null {
  let path: string | undefined = target
  for (let hop = 0; hop < maxHops && path !== undefined; hop++) {
    const file = files.get(path)
    if (file !== undefined) return file
    path = links.get(path)
  }
  return null
}

function digestIn(path: string): Digest | undefined {
  if (!path.startsWith('blobs/sha256/')) return undefined
  const digest = `sha256:${path.slice('blobs/sha256/'.length)}`
  if (!isDigest(digest)) throw archiveInvalid(`its ${path} is not named by a SHA-256`)
  return digest
}

async function* uncompressed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  let start = Buffer.alloc(0)
  while (start.length < gzipMagic.length) {
    const next = await iterator.next()
    if (next.done) break
    start = Buffer.concat([start, next.value])
  }
  const all = (async function* () {
    if (start.length > 0) yield start
    yield* { [Symbol.asyncIterator]: () => iterator }
  })()
  if (!start.subarray(0, gzipMagic.length).equals(gzipMagic)) return yield* all
  const gunzip = createGunzip()
  const source = Readable.from(all, { objectMode: false })
  source.on('error', (cause) => gunzip.destroy(cause))
  try {
    yield* source.pipe(gunzip)
  } finally {
    source.destroy()
  }
}

const gzipMagic = Buffer.from([0x1f, 0x8b])

function translate(cause: unknown, op: Pick<Op, 'signal'>): BasaltError {
  if (op.signal.aborted)
    return new BasaltError('request.interrupted', { message: 'the import was interrupted', cause })
  if (cause instanceof BasaltError)
    return cause.code === 'content.corrupt' ? archiveInvalid(cause.message, cause) : cause
  return archiveInvalid(cause instanceof Error ? cause.message : String(cause), cause)
}
