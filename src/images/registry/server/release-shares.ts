import type { Digest } from '../../../core/ids.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { isManifestType, mediaTypes } from '../../descriptor.ts'
import { manifestSchema, parse, readJson } from '../../image.ts'
import { reachableBlobs } from '../../reachable-blobs.ts'
import { loadReleaseIndex, releaseType, servicesByImage } from '../../release-artifact.ts'

/** A release that is kept, as the ledger has it. */
export interface RetainedRelease {
  readonly system: string
  readonly version: number
  /** `shop@7` */
  readonly name: string
  /** The index from which the release and everything it needs can be reached. */
  readonly artifact: Digest
}

/** What one repository holds of one release. */
export interface Share {
  /** What the release's tag means; several images where a service has none of its own. */
  readonly root: Descriptor
  readonly blobs: ReadonlyMap<Digest, Descriptor>
  /** Subject to what refers to it. */
  readonly attached: ReadonlyMap<Digest, readonly Descriptor[]>
}

/** Repository to share, for all repositories of one release. */
export type Shares = ReadonlyMap<string, Share>

/**
 * Reads a release once and remembers what it leads to, which never changes. Rejects when a part of it is missing or
 * corrupt; asked again, it looks again.
 */
export function createReleaseShares(content: ContentStore): (release: RetainedRelease) => Promise<Shares> {
  /** By artifact. */
  const known = new Map<Digest, Promise<Shares>>()
  return (release) => {
    const found = known.get(release.artifact)
    if (found !== undefined) return found
    const loaded = loadShares(content, release)
    known.set(release.artifact, loaded)
    loaded.catch(() => known.delete(release.artifact))
    return loaded
  }
}

async function loadShares(content: ContentStore, { system, artifact }: RetainedRelease): Promise<Shares> {
  const { release, manifests } = await loadReleaseIndex(content, artifact)
  const root: Descriptor = {
    mediaType: mediaTypes.index,
    digest: artifact,
    size: await content.size(artifact),
    artifactType: releaseType,
  }
  const blobs = await reachableBlobs(content, [root])
  const attached = await attachments(content, blobs)
  const shares = new Map<string, Share>([[system, { root, blobs, attached }]])
  for (const [image, services] of servicesByImage(release)) {
    const entry = manifests.find(({ digest }) => digest === image)
    if (entry === undefined) continue
    const share = await imageShare(content, entry, attached)
    for (const service of services) shares.set(`${system}/${service}`, share)
  }
  return shares
}

/** An image, and what is attached to it or to one of its platforms. */
async function imageShare(
  content: ContentStore,
  { mediaType, digest, size }: Descriptor,
  attached: Share['attached'],
): Promise<Share> {
  const root: Descriptor = { mediaType, digest, size }
  const image = await reachableBlobs(content, [root])
  const documents = [...image.keys()].flatMap((subject) => attached.get(subject) ?? [])
  return { root, blobs: await reachableBlobs(content, [root, ...documents]), attached }
}

/** The manifests that name a subject, by it. As descriptors of the referrers API: with type and annotations. */
async function attachments(
  content: ContentStore,
  blobs: ReadonlyMap<Digest, Descriptor>,
): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  const attached = new Map<Digest, Descriptor[]>()
  for (const { digest, mediaType, size } of blobs.values()) {
    if (!isManifestType(mediaType)) continue
    const { subject, artifactType, config, annotations } = parse(
      manifestSchema,
      await readJson(content, digest),
      digest,
    )
    if (subject === undefined) continue
    const descriptor: Descriptor = {
      mediaType,
      digest,
      size,
      artifactType: artifactType ?? config.mediaType,
      ...(annotations === undefined ? {} : { annotations }),
    }
    attached.set(subject.digest, [...(attached.get(subject.digest) ?? []), descriptor])
  }
  return attached
}
