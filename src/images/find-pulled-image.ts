import type { Digest, ImageDigest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore } from './content-store.ts'
import { loadImage } from './image.ts'

/**
 * The image for this machine that a digest leads to: of its manifest, or of an index that was pulled. Null where it is not
 * listed, which it is only when all of it was checked, or where a part of it went missing since. Rejects with
 * `image.invalid` where it is for other platforms only.
 */
export async function findPulledImage(store: ContentStore, digest: Digest): Promise<ImageDigest | null> {
  try {
    const image = await loadImage(store, digest)
    const listed = (await store.references()).some((entry) => entry.digest === image.digest)
    const present = await Promise.all(image.layers.map(({ descriptor }) => store.has(descriptor.digest)))
    return listed && present.every(Boolean) ? image.digest : null
  } catch (error) {
    if (error instanceof BasaltError && error.code === 'image.unknown') return null
    throw error
  }
}
