import { Readable } from 'node:stream'
import type { Header } from 'tar-stream'
import { type Digest, isDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { parseLayoutIndex } from './layout-index.ts'
import { tarMembers } from './tar-members.ts'

const maxDocumentBytes = 4 * 2 ** 20
const maxBlobBytes = 64 * 2 ** 30

export interface ReadArchive {
  /** Of index.json. */
  readonly descriptors: readonly Descriptor[]
  readonly blobs: ReadonlySet<Digest>
}

/**
 * Reads the tar of an OCI image layout into a store, each blob verified against the digest that names it. Rejects with
 * `release.archive-invalid` at the first member that has no place in such a layout.
 */
export async function readArchive(
  store: ContentStore,
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): Promise<ReadArchive> {
  const documents = new Map<string, string>()
  const blobs = new Set<Digest>()
  try {
    for await (const { header, content } of tarMembers(bytes, op)) {
      const place = placeOf(header)
      if (place === 'folder') continue
      if (place === 'document') {
        if (documents.has(header.name)) throw archiveInvalid(`it has ${header.name} twice`)
        documents.set(header.name, await textOf(content))
      } else {
        if (blobs.has(place)) throw archiveInvalid(`it has ${header.name} twice`)
        await store.put(Readable.from(content, { objectMode: false }), place)
        blobs.add(place)
      }
    }
  } catch (cause) {
    throw translate(cause, op)
  }
  return { descriptors: descriptorsOf(documents), blobs }
}

function placeOf({ name, type, size }: Header): 'folder' | 'document' | Digest {
  const path = name.replace(/^\.\//, '').replace(/\/$/, '')
  if (type === 'directory' && size === 0 && ['', '.', 'blobs', 'blobs/sha256'].includes(path)) return 'folder'
  if (type !== 'file') throw archiveInvalid(`its member "${name}" is no file`)
  if (name === 'oci-layout' || name === 'index.json') {
    if (size > maxDocumentBytes) throw archiveInvalid(`its ${name} has ${size} bytes`)
    return 'document'
  }
  const digest = `sha256:${name.slice('blobs/sha256/'.length)}`
  if (!name.startsWith('blobs/sha256/') || !isDigest(digest))
    throw archiveInvalid(`its member "${name}" has no place in an OCI image layout`)
  if (size > maxBlobBytes) throw archiveInvalid(`its ${name} has ${size} bytes`)
  return digest
}

async function textOf(member: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of member) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function descriptorsOf(documents: ReadonlyMap<string, string>): readonly Descriptor[] {
  const layout = documents.get('oci-layout')
  const index = documents.get('index.json')
  if (layout === undefined || index === undefined)
    throw archiveInvalid('it is no OCI image layout, or is cut off')
  try {
    const version: unknown = (JSON.parse(layout) as { imageLayoutVersion?: unknown }).imageLayoutVersion
    if (version === '1.0.0') return parseLayoutIndex(index)
  } catch (cause) {
    throw archiveInvalid('its index.json or oci-layout is malformed', cause)
  }
  throw archiveInvalid(`its layout version is not 1.0.0: ${layout.slice(0, 100)}`)
}

export const archiveInvalid = (reason: string, cause?: unknown): BasaltError =>
  new BasaltError('release.archive-invalid', {
    message: `the archive cannot be imported: ${reason}`,
    remedy: 'Export the release again and compare the checksums of both files.',
    ...(cause === undefined ? {} : { cause }),
  })

function translate(cause: unknown, op: Pick<Op, 'signal'>): BasaltError {
  if (op.signal.aborted)
    return new BasaltError('request.interrupted', { message: 'the import was interrupted', cause })
  if (cause instanceof BasaltError)
    return cause.code === 'content.corrupt' ? archiveInvalid(cause.message, cause) : cause
  return archiveInvalid(cause instanceof Error ? cause.message : String(cause), cause)
}
