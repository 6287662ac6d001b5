import type * as z from 'zod'
import type { ImageDigest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { isIndexType } from '../../descriptor.ts'
import {
  choosePlatform,
  type Image,
  indexSchema,
  loadImage,
  manifestSchema,
  type Platform,
  parse,
  platformName,
} from '../../image.ts'
import { formatReference, type ImageReference } from '../../reference.ts'
import { type BlobPuller, openBlobPuller, totalBytes } from './blob-puller.ts'
import { createEvidenceFolder } from './evidence.ts'
import { type FetchedManifest, fetchManifest } from './fetch-manifest.ts'
import { inParallel } from './in-parallel.ts'
import type { RegistrySession } from './registry-session.ts'

export interface PulledImage {
  /** Of the platform's manifest. */
  readonly image: ImageDigest
  /** What the reference means: the same, or an index of several platforms. */
  readonly resolved: Descriptor
  /** `linux/amd64` */
  readonly platform: string
  /** Of its layers, as they are stored. */
  readonly sizeBytes: number
  /** What had to be fetched of them; the rest was there. */
  readonly fetchedBytes: number
  /** All blobs, now in the store and known to be in that repository. */
  readonly blobs: readonly Descriptor[]
}

type Manifest = z.infer<typeof manifestSchema>

/**
 * Brings an image into the store, byte-exact. Blobs that are complete stay also after a failure, so that the next
 * attempt needs them no more; the image is listed, and so counts as being there, when all of it was checked as by an
 * import: every blob, the content of every layer, and what layers have in them.
 */
export async function pullImage(
  store: ContentStore,
  session: RegistrySession,
  reference: ImageReference,
  platform: Platform,
  op: Op,
): Promise<PulledImage> {
  const root = await fetchManifest(session, reference, createEvidenceFolder(store.folder).keepBytes)
  const own = await manifestFor(store, session, root, reference, platform)
  const { digest } = own.descriptor
  const manifest = parse(manifestSchema, own.document, digest)
  refuseForeignLayers(manifest, formatReference(reference))
  const blobs = [manifest.config, ...manifest.layers]
  const puller = await openBlobPuller(store, session, reference.repository)
  try {
    const missing = await puller.missing(blobs)
    const listed = await isListed(store, digest)
    if (missing.length > 0 || !listed) {
      await puller.assertRoom(missing)
      await fetchAll(store, puller, { own, manifest, missing, reference, platform }, op)
    }
    // It leads to the image the next time, without a network.
    if (root !== own) await store.put(root.bytes)
    const { mediaType } = own.descriptor
    // What it is listed with already stays.
    if (!listed) await store.refer({ mediaType, digest, size: own.bytes.byteLength })
    return {
      image: digest,
      resolved: root.descriptor,
      platform: platformName(platform),
      sizeBytes: totalBytes(manifest.layers),
      fetchedBytes: totalBytes(missing),
      blobs,
    }
  } finally {
    await puller.close()
  }
}

async function manifestFor(
  store: ContentStore,
  session: RegistrySession,
  root: FetchedManifest,
  reference: ImageReference,
  platform: Platform,
): Promise<FetchedManifest> {
  const { descriptor, document } = root
  if (!isIndexType(descriptor.mediaType)) return root
  const index = parse(indexSchema, document, descriptor.digest)
  const digest = choosePlatform(index, formatReference(reference), platform)
  const { keepBytes } = createEvidenceFolder(store.folder)
  return fetchManifest(session, { ...reference, tag: null, digest }, keepBytes)
}

/** Only what is listed was checked. */
const isListed = async (store: ContentStore, digest: ImageDigest): Promise<boolean> =>
  (await store.has(digest)) && (await store.references()).some((entry) => entry.digest === digest)

interface Wanted {
  readonly own: FetchedManifest
  readonly manifest: Manifest
  readonly missing: readonly Descriptor[]
  readonly reference: ImageReference
  readonly platform: Platform
}

/** The config first: for an image of another platform no layer is fetched. */
async function fetchAll(store: ContentStore, puller: BlobPuller, wanted: Wanted, op: Op): Promise<void> {
  const { own, manifest, missing, reference, platform } = wanted
  const isMissing = new Set(missing.map(({ digest }) => digest))
  if (isMissing.has(manifest.config.digest)) await puller.fetch(manifest.config, op)
  await store.put(own.bytes)
  const image = await loadImage(store, own.descriptor.digest)
  assertPlatform(image, formatReference(reference), platform)
  // The same blob may be there twice; only with the same content it is the same layer.
  const layers = new Map(image.layers.map((layer) => [`${layer.descriptor.digest} ${layer.diffId}`, layer]))
  await inParallel(layers.values(), op, async (layer, shared) => {
    if (isMissing.has(layer.descriptor.digest)) await puller.fetch(layer.descriptor, shared)
    await puller.check(layer, shared)
  }).catch((error: unknown) => {
    throw op.signal.aborted ? interrupted(reference, op) : error
  })
}

/** Their bytes are on other servers, under licences that forbid to pass them on; those of Windows are such. */
export function refuseForeignLayers({ layers }: Manifest, name: string): void {
  const foreign = layers.find(
    (layer) => hasAddresses(layer) || /foreign|nondistributable/.test(layer.mediaType),
  )
  if (foreign === undefined) return
  throw new BasaltError('image.invalid', {
    message: `${name} cannot be taken in: its layer ${foreign.digest} is not in the registry, but at addresses elsewhere ("${foreign.mediaType}")`,
    remedy: 'Use an image that has all its layers, as those for Linux have.',
    details: { layer: foreign.digest },
  })
}

const hasAddresses = (layer: Descriptor): boolean =>
  'urls' in layer && Array.isArray(layer.urls) && layer.urls.length > 0

function assertPlatform(image: Image, name: string, wanted: Platform): void {
  const { platform } = image.config
  if (platform.os === wanted.os && platform.architecture === wanted.architecture) return
  throw new BasaltError('image.invalid', {
    message: `${name} is not for ${platformName(wanted)}, only for ${platformName(platform)}`,
    remedy: 'Name an image that is built for this machine.',
    details: { platforms: [platformName(platform)] },
  })
}

export const interrupted = (reference: ImageReference, { signal }: Op): BasaltError =>
  new BasaltError('request.interrupted', {
    message: `${formatReference(reference)}: interrupted`,
    cause: signal.reason,
  })
