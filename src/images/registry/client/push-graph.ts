import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { isIndexType, isManifestType } from '../../descriptor.ts'
import { mediaTypeOf, readJson } from '../../image.ts'
import { childrenOf, reachableBlobs } from '../../reachable-blobs.ts'
import { formatReference, type ImageReference } from '../../reference.ts'
import type { BlobOrigins } from './blob-origins.ts'
import { inParallel } from './in-parallel.ts'
import { readRemark } from './read-body.ts'
import { failed, refusalIn } from './registry-error.ts'
import type { RegistrySession } from './registry-session.ts'
import { trackTransfer } from './transfer-progress.ts'
import { isPresent, refused, type Upload, type UploadTarget, uploadBlob } from './upload-blob.ts'

export interface Pushed {
  readonly descriptor: Descriptor
  /** How many blobs were there already, were taken over from another repository, or had to be sent. */
  readonly blobs: Readonly<Record<Upload, number>>
  readonly sentBytes: number
}

/**
 * Puts an image, or whatever an index leads to, into a repository as it is in the store, byte for byte: blobs first, then
 * manifests from the lowest up, so that nothing is ever listed that is not complete. The last one gets the tag.
 */
export async function pushGraph(
  store: ContentStore,
  session: RegistrySession,
  digest: Digest,
  to: ImageReference,
  origins: BlobOrigins,
  op: Op,
): Promise<Pushed> {
  const what = formatReference(to)
  if (to.digest !== null && to.digest !== digest)
    throw new BasaltError('request.invalid', {
      message: `${what} names another digest than what is to be pushed, ${digest}`,
      remedy: 'Name a tag, or no digest.',
    })
  const target: UploadTarget = { session, store, repository: to.repository, op, what }
  const root = {
    mediaType: mediaTypeOf(await readJson(store, digest)),
    digest,
    size: await store.size(digest),
  }
  const reachable = [...(await reachableBlobs(store, [root])).values()]
  const blobs = reachable.filter(({ mediaType }) => !isManifestType(mediaType) && !isIndexType(mediaType))
  const counts: Record<Upload, number> = { present: 0, mounted: 0, sent: 0 }
  let sentBytes = 0
  const pushBlob = async (descriptor: Descriptor, shared: Op): Promise<void> => {
    const known = origins.find(session.registry, descriptor.digest)
    const progress = () => trackTransfer('send', descriptor, op)
    const upload = await uploadBlob(
      { ...target, op: shared },
      descriptor,
      known === to.repository ? null : known,
      progress,
    )
    counts[upload]++
    if (upload === 'sent') {
      sentBytes += descriptor.size
      progress().done()
    }
    origins.note(session.registry, to.repository, descriptor.digest)
  }
  await inParallel(blobs, op, pushBlob).catch((error: unknown) => {
    throw op.signal.aborted ? interrupted(what, op) : error
  })
  for (const manifest of await bottomUp(store, root))
    if (manifest.digest !== digest) await putManifest(target, manifest, manifest.digest)
  await putManifest(target, root, to.tag ?? digest)
  return { descriptor: root, blobs: counts, sentBytes }
}

/** Manifests and indexes, each after all that it names. */
async function bottomUp(store: ContentStore, root: Descriptor): Promise<readonly Descriptor[]> {
  const found = new Map<Digest, Descriptor>()
  const visit = async (descriptor: Descriptor): Promise<void> => {
    const { digest, mediaType } = descriptor
    if (found.has(digest) || !(isManifestType(mediaType) || isIndexType(mediaType))) return
    for (const child of await childrenOf(store, descriptor)) await visit(child)
    found.set(digest, descriptor)
  }
  await visit(root)
  return [...found.values()]
}

async function putManifest(target: UploadTarget, descriptor: Descriptor, name: string): Promise<void> {
  const { session, store, repository, what } = target
  const { digest, mediaType } = descriptor
  if (name === digest && (await isPresent(target, descriptor, 'manifests', { accept: mediaType }))) return
  const bytes = await store.read(digest)
  const answer = await session.send({
    method: 'PUT',
    path: `${repository}/manifests/${name}`,
    access: { repository, actions: 'pull,push' },
    headers: { 'content-type': mediaType },
    body: () => bytes,
  })
  const reason = refusalIn(await readRemark(answer)) ?? `it answered ${answer.status}`
  if (answer.status !== 201)
    throw refused(target, name === digest ? `the manifest ${digest}` : `the tag ${name}`, reason)
  const stored = answer.headers['docker-content-digest'] ?? digest
  if (stored !== digest)
    throw failed(session.registry, what, `stored ${String(stored)} in place of ${digest}`)
}

const interrupted = (what: string, { signal }: Op): BasaltError =>
  new BasaltError('request.interrupted', { message: `pushing ${what} was interrupted`, cause: signal.reason })
