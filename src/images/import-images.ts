import { rm } from 'node:fs/promises'
import type { ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import { checkLayer } from './check-layer.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { dockerImages } from './docker-images.ts'
import { isForMachine, loadImage, machinePlatform, platformName } from './image.ts'
import { archiveInvalid, readImageArchive } from './image-archive.ts'
import { withLayerFile } from './layer-file.ts'
import { type ArchivedImage, layoutImages } from './layout-images.ts'
import { ingestPath, openContentStore } from './oci-layout-store.ts'
import { reachableBlobs } from './reachable-blobs.ts'

export interface ImportedImage {
  readonly image: ImageDigest
  /** What the archive calls it; null: nothing. */
  readonly name: string | null
  /** `linux/amd64` */
  readonly platform: string
  /** Of the layers, as they are stored. */
  readonly sizeBytes: number
}

/**
 * Takes in the images for this machine of a tar that another tool wrote: an OCI image layout, or what `docker save`
 * writes; compressed with gzip or not. It is read into a layout of its own first; every blob, and the content of every
 * layer, must have its digest, and layers only what a root may have. Only then the images are moved into the store and listed there. After a failure nothing
 * is left. Rejects with `image.invalid`, `host.disk-full`, or `request.interrupted` on abort.
 */
export async function importImages(
  store: ContentStore,
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): Promise<readonly ImportedImage[]> {
  const folder = ingestPath(store.folder)
  try {
    const staging = await openContentStore(folder)
    const archived = await readImages(staging, bytes, op)
    const imported: ImportedImage[] = []
    for (const image of archived) imported.push(await check(staging, image, op))
    const manifests = archived.map(({ manifest }) => bare(manifest))
    const blobs = await reachableBlobs(staging, manifests)
    await store.adopt(staging, [...blobs.keys()])
    // What is listed already stays as it is: it may be listed with more than an archive says.
    const listed = new Set((await store.references()).map(({ digest }) => digest))
    const added = manifests.filter(({ digest }) => !listed.has(digest))
    await Promise.all(added.map((manifest) => store.refer(manifest)))
    return imported
  } catch (cause) {
    if (cause instanceof BasaltError && cause.code === 'image.unknown')
      throw archiveInvalid(`it lacks ${String(cause.details['digest'])}`, cause)
    throw cause
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function readImages(
  staging: ContentStore,
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): Promise<readonly ArchivedImage[]> {
  const files = await readImageArchive(staging, bytes, op)
  const indexJson = files.get('index.json')
  // Docker writes both since version 25; only a layout has manifests whose digests others know.
  if (indexJson !== undefined && files.has('oci-layout')) return layoutImages(staging, indexJson)
  const manifestJson = files.get('manifest.json')
  if (manifestJson !== undefined) return dockerImages(staging, manifestJson, files)
  throw archiveInvalid('it is neither an OCI image layout (index.json) nor of `docker save` (manifest.json)')
}

async function check(
  staging: ContentStore,
  { manifest, name }: ArchivedImage,
  op: Pick<Op, 'signal'>,
): Promise<ImportedImage> {
  const image = await loadImage(staging, manifest.digest)
  const platform = platformName(image.config.platform)
  if (!isForMachine(image.config.platform))
    throw archiveInvalid(`it has no image for ${platformName(machinePlatform)}, only for ${platform}`)
  for (const layer of image.layers) {
    const { digest } = layer.descriptor
    // Hashed as it came in, a moment ago: to read it again would tell nothing new.
    if (layer.compression === 'none' && digest === layer.diffId && (await staging.size(digest)) > 0)
      await checkLayer({ file: staging.path(digest), name: digest }, op)
    else await withLayerFile(staging, layer, ingestPath(staging.folder), op, (file) => checkLayer(file, op))
  }
  const sizeBytes = image.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0)
  return { image: image.digest, name, platform, sizeBytes }
}

/** Without what the archive says of it: an image is known by its digest and by nothing else. */
const bare = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size })
