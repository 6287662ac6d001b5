import type { Digest } from '../core/ids.ts'
import type { Release } from '../core/release.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { loadImage } from './image.ts'
import { reachableBlobs } from './reachable-blobs.ts'
import {
  loadReleaseIndex,
  releaseDescriptor,
  type StoredRelease,
  servicesByImage,
} from './release-artifact.ts'

export interface ImportedRelease extends StoredRelease {
  readonly release: Release
}

export interface CheckedRelease {
  readonly imported: ImportedRelease
  readonly root: Descriptor
  /** Of its images and of what is attached to them. */
  readonly manifests: readonly Descriptor[]
  /** All that it needs, itself included. */
  readonly reachable: ReadonlySet<Digest>
}

/**
 * Whether a store has all of the release that an index leads to, each part as it is said to be. `invalid` makes the error
 * for what is not so, in the words of where it came from.
 */
export async function checkRelease(
  store: ContentStore,
  root: Descriptor,
  invalid: (reason: string, cause?: unknown) => BasaltError,
): Promise<CheckedRelease> {
  try {
    const reachable = await reachableBlobs(store, [root])
    const { release, releaseDigest, manifests } = await loadReleaseIndex(store, root.digest)
    for (const image of servicesByImage(release).keys()) {
      if (!manifests.some((entry) => entry.digest === image))
        throw invalid(`its index does not list the image ${image}`)
      await loadImage(store, image)
    }
    const imported = { release, releaseDigest, artifact: root.digest }
    return { imported, root, manifests, reachable: new Set(reachable.keys()) }
  } catch (cause) {
    if (!(cause instanceof BasaltError)) throw cause
    if (cause.code === 'image.unknown') throw invalid(`it lacks ${String(cause.details['digest'])}`, cause)
    if (cause.code === 'image.invalid') throw invalid(cause.message, cause)
    throw cause
  }
}

/** Lists a release whose blobs are in the store, itself last: one that is listed is complete. */
export async function listRelease(
  store: ContentStore,
  { imported, root, manifests }: CheckedRelease,
): Promise<void> {
  // What is listed already stays as it is: a release must not say anew what another one is.
  const listed = new Set((await store.references()).map(({ digest }) => digest))
  const added = manifests.filter(({ digest }) => !listed.has(digest))
  await Promise.all(added.map((entry) => store.refer(entry)))
  await store.refer(releaseDescriptor(imported, root.size))
}
