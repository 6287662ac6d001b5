import { rm } from 'node:fs/promises'
import type { Digest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release } from '../core/release.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { isIndexType } from './descriptor.ts'
import { loadImage } from './image.ts'
import { ingestPath, openContentStore } from './oci-layout-store.ts'
import { reachableBlobs } from './reachable-blobs.ts'
import { archiveInvalid, readArchive } from './release-archive-reader.ts'
import {
  loadReleaseIndex,
  releaseDescriptor,
  releaseType,
  type StoredRelease,
  servicesByImage,
} from './release-artifact.ts'

export interface ImportedRelease extends StoredRelease {
  readonly release: Release
}

/**
 * Takes a file of `exportRelease` in. It is read into a layout of its own first; only when every blob has its digest,
 * nothing is missing and nothing is there that the release does not need, the blobs are moved into the store and
 * referred to. Until then nothing of the archive can be seen, and after a failure nothing is left.
 *
 * Rejects with `release.archive-invalid`, `host.disk-full`, or `request.interrupted` on abort.
 */
export async function importRelease(
  store: ContentStore,
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): Promise<ImportedRelease> {
  const folder = ingestPath(store.folder)
  try {
    const staging = await openContentStore(folder)
    const { descriptors, blobs } = await readArchive(staging, bytes, op)
    const root = soleRelease(descriptors)
    const { manifests, ...imported } = await check(staging, root, descriptors, blobs)
    await store.adopt(staging, [...blobs])
    // What is listed already stays as it is: an archive must not say anew what another release is.
    const listed = new Set((await store.references()).map(({ digest }) => digest))
    const added = manifests.filter(({ digest }) => !listed.has(digest))
    await Promise.all(added.map((entry) => store.refer(entry)))
    // Last: a release that is listed is complete.
    await store.refer(releaseDescriptor(imported, root.size))
    return imported
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function soleRelease(descriptors: readonly Descriptor[]): Descriptor {
  const [root, ...others] = descriptors.filter(
    ({ mediaType, artifactType }) => isIndexType(mediaType) && artifactType === releaseType,
  )
  if (root === undefined) throw archiveInvalid('its index.json lists no release')
  if (others.length > 0)
    throw archiveInvalid(`its index.json lists ${others.length + 1} releases instead of one`)
  return root
}

async function check(
  staging: ContentStore,
  root: Descriptor,
  descriptors: readonly Descriptor[],
  blobs: ReadonlySet<Digest>,
): Promise<ImportedRelease & { readonly manifests: readonly Descriptor[] }> {
  try {
    const reachable = await reachableBlobs(staging, [root])
    const strangers = [...blobs, ...descriptors.map(({ digest }) => digest)].filter(
      (digest) => !reachable.has(digest),
    )
    if (strangers.length > 0) throw archiveInvalid(`nothing in the release refers to ${strangers[0]}`)
    const { release, releaseDigest, manifests } = await loadReleaseIndex(staging, root.digest)
    for (const image of servicesByImage(release).keys()) {
      if (!manifests.some((entry) => entry.digest === image))
        throw archiveInvalid(`its index does not list the image ${image}`)
      await loadImage(staging, image)
    }
    return { release, releaseDigest, artifact: root.digest, manifests }
  } catch (cause) {
    if (!(cause instanceof BasaltError)) throw cause
    if (cause.code === 'image.unknown')
      throw archiveInvalid(`it lacks ${String(cause.details['digest'])}`, cause)
    if (cause.code === 'image.invalid') throw archiveInvalid(cause.message, cause)
    throw cause
  }
}
