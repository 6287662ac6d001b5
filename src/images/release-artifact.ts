import { canonicalJson, digestOf } from '../core/digest.ts'
import type { Digest, ImageDigest, ReleaseDigest } from '../core/ids.ts'
import type { Release } from '../core/release.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { isIndexType, isManifestType, mediaTypes } from './descriptor.ts'
import { indexSchema, loadImage, manifestSchema, mediaTypeOf, parse, readJson } from './image.ts'
import { reachableBlobs } from './reachable-blobs.ts'
import type { Referrers } from './referrers.ts'
import { releaseSchema } from './release-schema.ts'

/** Of the document, of the artifact that holds it, and of the index that leads to everything. */
export const releaseType = 'application/vnd.basalt.release.v1+json'

export const releaseAnnotations = {
  system: 'org.basalt.system',
  digest: 'org.basalt.release.digest',
  /** On images: the services that run them, with commas. */
  services: 'org.basalt.services',
} as const

export interface StoredRelease {
  readonly releaseDigest: ReleaseDigest
  /** An image index: all that the release needs can be reached from it. */
  readonly artifact: Digest
}

/**
 * Stores a release as an OCI artifact (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage") and an index that
 * lists it, its images, and what is attached to those (SBOM, provenance). Idempotent. Rejects with `image.unknown`
 * when an image, or a part of one, is not in the store.
 */
export async function storeRelease(
  store: ContentStore,
  referrers: Referrers,
  release: Release,
): Promise<StoredRelease> {
  const releaseDigest = digestOf(release)
  const stored = (await releaseIndexes(store)).find(
    (entry) => entry.annotations?.[releaseAnnotations.digest] === releaseDigest,
  )
  // Found again as it was, even when more was attached to its images since.
  if (stored !== undefined) return { releaseDigest, artifact: stored.digest }

  const images = await imageDescriptors(store, release)
  const subjects = [...(await reachableBlobs(store, images)).values()].filter(
    ({ mediaType }) => isManifestType(mediaType) || isIndexType(mediaType),
  )
  const attached = await referrers.of(new Set(subjects.map(({ digest }) => digest)))
  await reachableBlobs(store, attached)
  const annotations = annotationsOf(release, releaseDigest)
  const index = await putDocument(store, {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    artifactType: releaseType,
    manifests: [await putArtifact(store, release, annotations), ...images, ...attached],
    annotations,
  })
  await store.refer(releaseDescriptor({ release, releaseDigest, artifact: index.digest }, index.size))
  return { releaseDigest, artifact: index.digest }
}

/** How index.json lists a release. */
export const releaseDescriptor = (
  { release, releaseDigest, artifact }: StoredRelease & { readonly release: Release },
  sizeBytes: number,
): Descriptor => ({
  mediaType: mediaTypes.index,
  digest: artifact,
  size: sizeBytes,
  artifactType: releaseType,
  annotations: annotationsOf(release, releaseDigest),
})

const annotationsOf = (release: Release, releaseDigest: ReleaseDigest): Readonly<Record<string, string>> => ({
  [releaseAnnotations.system]: release.system,
  [releaseAnnotations.digest]: releaseDigest,
})

/** The entries of index.json that are releases. */
export const releaseIndexes = async (store: ContentStore): Promise<readonly Descriptor[]> =>
  (await store.references()).filter(
    ({ mediaType, artifactType }) => isIndexType(mediaType) && artifactType === releaseType,
  )

/** Rejects with `release.unknown` when there is none, `release.archive-invalid` when the bytes are no release. */
export async function loadRelease(store: ContentStore, releaseDigest: ReleaseDigest): Promise<Release> {
  if (!(await store.has(releaseDigest)))
    throw new BasaltError('release.unknown', {
      message: `no release with the digest ${releaseDigest} is stored`,
      remedy: 'See the releases: `basalt history`.',
    })
  const document = await readJson(store, releaseDigest)
  const result = releaseSchema.safeParse(document)
  if (!result.success)
    throw notRelease(`${releaseDigest} is no release that this version of Basalt knows`, result.error)
  // One release, one digest: other bytes with the same meaning would be a second identity.
  if (digestOf(result.data) !== releaseDigest)
    throw notRelease(`${releaseDigest} is not in its canonical form`)
  return result.data
}

/** What an index of `storeRelease` leads to. Rejects with `release.archive-invalid` when it is none. */
export async function loadReleaseIndex(
  store: ContentStore,
  artifact: Digest,
): Promise<{
  readonly release: Release
  readonly releaseDigest: ReleaseDigest
  readonly manifests: readonly Descriptor[]
}> {
  const { manifests, artifactType } = parse(indexSchema, await readJson(store, artifact), artifact)
  const [document, ...others] = manifests.filter((entry) => entry.artifactType === releaseType)
  if (artifactType !== releaseType || document === undefined || others.length > 0)
    throw notRelease(`${artifact} is no index of a release`)
  const { layers } = parse(manifestSchema, await readJson(store, document.digest), document.digest)
  const [layer] = layers
  if (layer === undefined || layer.mediaType !== releaseType)
    throw notRelease(`${document.digest} holds no release`)
  const release = await loadRelease(store, layer.digest)
  return {
    release,
    releaseDigest: layer.digest,
    manifests: manifests.filter((entry) => entry !== document),
  }
}

/** Image digest to the services that run it. */
export function servicesByImage({ services }: Release): ReadonlyMap<ImageDigest, readonly string[]> {
  const byImage = new Map<ImageDigest, string[]>()
  for (const name of Object.keys(services).sort()) {
    const image = services[name]?.image as ImageDigest
    byImage.set(image, [...(byImage.get(image) ?? []), name])
  }
  return new Map([...byImage].sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function imageDescriptors(store: ContentStore, release: Release): Promise<readonly Descriptor[]> {
  const descriptors: Descriptor[] = []
  for (const [digest, services] of servicesByImage(release)) {
    const { config } = await loadImage(store, digest)
    const mediaType = mediaTypeOf(await readJson(store, digest))
    const { os, architecture } = config.platform
    const single = isManifestType(mediaType) ? { platform: { os, architecture } } : {}
    const annotations = { [releaseAnnotations.services]: services.join(',') }
    descriptors.push({ mediaType, digest, size: await store.size(digest), annotations, ...single })
  }
  return descriptors
}

async function putArtifact(
  store: ContentStore,
  release: Release,
  annotations: Readonly<Record<string, string>>,
): Promise<Descriptor> {
  const document = await putDocument(store, release)
  const config = await putDocument(store, {})
  const artifact = await putDocument(store, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: releaseType,
    config: { mediaType: mediaTypes.empty, ...config },
    layers: [{ mediaType: releaseType, ...document }],
    annotations,
  })
  return { mediaType: mediaTypes.manifest, ...artifact, artifactType: releaseType }
}

async function putDocument(
  store: ContentStore,
  document: unknown,
): Promise<Pick<Descriptor, 'digest' | 'size'>> {
  const bytes = Buffer.from(canonicalJson(document))
  const { digest, sizeBytes } = await store.put(bytes)
  return { digest, size: sizeBytes }
}

const notRelease = (message: string, cause?: unknown): BasaltError =>
  new BasaltError('release.archive-invalid', { message, ...(cause === undefined ? {} : { cause }) })
