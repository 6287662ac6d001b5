import { rm, statfs } from 'node:fs/promises'
import type { z } from 'zod'
import type { Digest, ImageDigest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { createConcurrencyLimit } from '../../../util/concurrency-limit.ts'
import { diskFull, onDisk } from '../../../util/disk-error.ts'
import { checkLayer } from '../../check-layer.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { isIndexType } from '../../descriptor.ts'
import {
  choosePlatform,
  type Image,
  type ImageLayer,
  indexSchema,
  loadImage,
  manifestSchema,
  type Platform,
  parse,
  platformName,
} from '../../image.ts'
import { withLayerFile } from '../../layer-file.ts'
import { ingestPath, openContentStore } from '../../oci-layout-store.ts'
import { formatReference, type ImageReference } from '../../reference.ts'
import { createEvidenceFolder, type EvidenceFolder } from './evidence.ts'
import { fetchBlob } from './fetch-blob.ts'
import { type FetchedManifest, fetchManifest } from './fetch-manifest.ts'
import type { RegistrySession } from './registry-session.ts'
import { trackTransfer } from './transfer-progress.ts'

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

const parallelBlobs = 4

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
  const evidence = createEvidenceFolder(store.folder)
  const root = await fetchManifest(session, reference, evidence.keepBytes)
  const own = await manifestFor(session, root, reference, platform, evidence)
  const { digest } = own.descriptor
  const manifest = parse(manifestSchema, own.document, digest)
  refuseForeignLayers(manifest, reference)
  const blobs = [manifest.config, ...manifest.layers]
  const sizeBytes = sum(manifest.layers)
  const result = {
    image: digest,
    resolved: root.descriptor,
    platform: platformName(platform),
    sizeBytes,
    blobs,
  }

  const missing = await missingOf(store, blobs)
  const listed = (await store.references()).some((entry) => entry.digest === digest)
  if (missing.length === 0 && listed && (await store.has(digest))) {
    // The index may be a new one all the same, and is what leads to the image the next time.
    if (root !== own) await store.put(root.bytes)
    return { ...result, fetchedBytes: 0 }
  }
  const fetchedBytes = sum(missing)
  await assertRoom(store, fetchedBytes)
  const staging = await openContentStore(ingestPath(store.folder))
  try {
    await fetchAll({ store, staging, session, reference, platform, evidence, op }, own, missing)
    if (root !== own) await store.put(root.bytes)
    await store.refer({ mediaType: own.descriptor.mediaType, digest, size: own.bytes.byteLength })
  } finally {
    await rm(staging.folder, { recursive: true, force: true })
  }
  return { ...result, fetchedBytes }
}

async function manifestFor(
  session: RegistrySession,
  root: FetchedManifest,
  reference: ImageReference,
  platform: Platform,
  evidence: EvidenceFolder,
): Promise<FetchedManifest> {
  const { descriptor, document } = root
  if (!isIndexType(descriptor.mediaType)) return root
  const index = parse(indexSchema, document, descriptor.digest)
  const digest = choosePlatform(index, formatReference(reference), platform)
  return fetchManifest(session, { ...reference, tag: null, digest }, evidence.keepBytes)
}

interface Pull {
  readonly store: ContentStore
  readonly staging: ContentStore
  readonly session: RegistrySession
  readonly reference: ImageReference
  readonly platform: Platform
  readonly evidence: EvidenceFolder
  readonly op: Op
}

/** The config first: for an image of another platform no layer is fetched. */
async function fetchAll(pull: Pull, own: FetchedManifest, missing: readonly Descriptor[]): Promise<void> {
  const { store } = pull
  const { config } = parse(manifestSchema, own.document, own.descriptor.digest)
  const isConfig = ({ digest }: Descriptor): boolean => digest === config.digest
  for (const descriptor of missing.filter(isConfig)) await fetchOne(pull, descriptor)
  await store.put(own.bytes)
  const image = await loadImage(store, own.descriptor.digest)
  assertPlatform(image, pull)
  const limit = createConcurrencyLimit(parallelBlobs)
  const wanted = new Map(missing.map((descriptor) => [descriptor.digest, descriptor]))
  // The first failure ends the others, so that nothing is fetched for nobody.
  const stop = new AbortController()
  const op = { ...pull.op, signal: AbortSignal.any([pull.op.signal, stop.signal]) }
  const fetches = new Map<Digest, Promise<void>>()
  const fetched = (descriptor: Descriptor): Promise<void> => {
    const known = fetches.get(descriptor.digest) ?? fetchOne({ ...pull, op }, descriptor)
    fetches.set(descriptor.digest, known)
    return known
  }
  /** The same blob may be there twice; only with the same content it is the same layer. */
  const layers = new Map(image.layers.map((layer) => [`${layer.descriptor.digest} ${layer.diffId}`, layer]))
  const results = await Promise.allSettled(
    [...layers.values()].map((layer) =>
      limit(async () => {
        op.signal.throwIfAborted()
        const descriptor = wanted.get(layer.descriptor.digest)
        if (descriptor !== undefined) await fetched(descriptor)
        await checkContent(pull, layer, op)
      }).catch((error: unknown) => {
        stop.abort(error)
        throw error
      }),
    ),
  )
  if (pull.op.signal.aborted) throw interrupted(pull)
  if (results.some(({ status }) => status === 'rejected')) throw stop.signal.reason
}

async function fetchOne({ store, staging, session, reference, evidence, op }: Pull, descriptor: Descriptor) {
  const transfer = trackTransfer('fetch', descriptor, op)
  const target = { staging, keepEvidence: evidence.keepFile }
  await fetchBlob(session, reference.repository, descriptor, target, transfer, op)
  await store.adopt(staging, [descriptor.digest])
  transfer.done()
}

const checkContent = (pull: Pull, layer: ImageLayer, op: Op): Promise<void> =>
  withLayerFile(pull.store, layer, ingestPath(pull.store.folder), op, (file) => checkLayer(file, op))

/** One that is there with another length would be believed to be there. */
async function missingOf(store: ContentStore, blobs: readonly Descriptor[]): Promise<readonly Descriptor[]> {
  const unique = new Map(blobs.map((descriptor) => [descriptor.digest, descriptor]))
  const found = await Promise.all(
    [...unique.values()].map(async (descriptor) => {
      const { digest, size } = descriptor
      return (await store.has(digest)) && (await store.size(digest)) === size ? [] : [descriptor]
    }),
  )
  return found.flat()
}

/** A layer may be decompressed beside it for the check, which nobody can know the size of. */
async function assertRoom({ folder }: ContentStore, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await onDisk(folder, statfs(folder))
  if (neededBytes <= bavail * bsize) return
  throw diskFull(`${folder}: the image needs ${neededBytes} bytes, and ${bavail * bsize} are free`)
}

/** Their bytes are on other servers, under licences that forbid to pass them on; those of Windows are such. */
function refuseForeignLayers({ layers }: Manifest, reference: ImageReference): void {
  const foreign = layers.find(
    (layer) => hasAddresses(layer) || /foreign|nondistributable/.test(layer.mediaType),
  )
  if (foreign === undefined) return
  throw new BasaltError('image.invalid', {
    message: `${formatReference(reference)} cannot be taken in: its layer ${foreign.digest} is not in the registry, but at addresses elsewhere ("${foreign.mediaType}")`,
    remedy: 'Use an image that has all its layers, as those for Linux have.',
    details: { layer: foreign.digest },
  })
}

const hasAddresses = (layer: Descriptor): boolean =>
  'urls' in layer && Array.isArray(layer.urls) && layer.urls.length > 0

function assertPlatform(image: Image, { reference, platform: wanted }: Pull): void {
  const { platform } = image.config
  if (platform.os === wanted.os && platform.architecture === wanted.architecture) return
  throw new BasaltError('image.invalid', {
    message: `${formatReference(reference)} is not for ${platformName(wanted)}, only for ${platformName(platform)}`,
    remedy: 'Name an image that is built for this machine.',
    details: { platforms: [platformName(platform)] },
  })
}

const sum = (descriptors: readonly Descriptor[]): number =>
  descriptors.reduce((total, { size }) => total + size, 0)

const interrupted = ({ reference, op }: Pull): BasaltError =>
  new BasaltError('request.interrupted', {
    message: `pulling ${formatReference(reference)} was interrupted`,
    cause: op.signal.reason,
  })
