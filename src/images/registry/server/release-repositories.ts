import type { Digest } from '../../../core/ids.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { isIndexType, isManifestType, mediaTypes } from '../../descriptor.ts'
import { manifestSchema, parse, readJson } from '../../image.ts'
import { reachableBlobs } from '../../reachable-blobs.ts'
import { loadReleaseIndex, releaseType, servicesByImage } from '../../release-artifact.ts'
import { releaseTag } from './repository-name.ts'

/** A release that is kept, as the ledger has it. */
export interface RetainedRelease {
  readonly system: string
  readonly version: number
  /** `shop@7` */
  readonly name: string
  /** The index from which the release and everything it needs can be reached. */
  readonly artifact: Digest
}

/**
 * The releases as repositories, without a copy of anything: the images of the service `web` of `shop` are in `shop/web`,
 * with what is attached to them, and everything of a release is in `shop`. Both have the tag `release-7` for `shop@7`.
 */
export interface ReleaseRepositories {
  repositories(): Promise<readonly string[]>
  /** Null: no release serves it there. */
  find(repository: string, digest: Digest): Promise<Descriptor | null>
  /** Tag to manifest. */
  tags(repository: string): Promise<ReadonlyMap<string, Digest>>
  referrers(repository: string, subject: Digest): Promise<readonly Descriptor[]>
  /** Names of releases that need a blob, oldest first. Rejects when one cannot be read: then nobody can tell. */
  neededBy(digest: Digest): Promise<readonly string[]>
  /** Repositories of whole releases hold their configuration. */
  isSystem(repository: string): boolean
}

/** What one repository holds of one release. */
interface Share {
  /** What the release's tag means; several images where a service has none of its own. */
  readonly root: Descriptor
  readonly blobs: ReadonlyMap<Digest, Descriptor>
  /** Subject to what refers to it. */
  readonly attached: ReadonlyMap<Digest, readonly Descriptor[]>
}

/** Repository to share. */
type Shares = ReadonlyMap<string, Share>

export function createReleaseRepositories(
  content: ContentStore,
  list: () => readonly RetainedRelease[],
  report: (problem: string) => void,
): ReleaseRepositories {
  /** By artifact: what a release leads to never changes. */
  const known = new Map<Digest, Promise<Shares>>()
  const sharesOf = (release: RetainedRelease): Promise<Shares> => {
    const found = known.get(release.artifact) ?? loadShares(content, release)
    known.set(release.artifact, found)
    // A blob that was lost may be brought anew.
    found.catch(() => known.delete(release.artifact))
    return found
  }

  const systemOf = (repository: string): string => repository.split('/')[0] ?? ''

  /** Newest first. A release that cannot be read takes no other one with it. */
  async function* sharesIn(repository: string): AsyncGenerator<Share & { readonly version: number }> {
    const system = systemOf(repository)
    for (const release of list()
      .filter((entry) => entry.system === system)
      .toReversed()) {
      const shares = await sharesOf(release).catch((error: unknown) => {
        report(`${release.name} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
        return null
      })
      const share = shares?.get(repository)
      if (share !== undefined) yield { ...share, version: release.version }
    }
  }

  return {
    isSystem: (repository) => list().some(({ system }) => system === repository),
    async repositories() {
      const names = new Set<string>()
      for (const release of list())
        for (const name of (await sharesOf(release).catch((): Shares => new Map())).keys()) names.add(name)
      return [...names]
    },
    async find(repository, digest) {
      for await (const { blobs } of sharesIn(repository)) {
        const found = blobs.get(digest)
        if (found !== undefined) return found
      }
      return null
    },
    async tags(repository) {
      const tags = new Map<string, Digest>()
      for await (const { version, root } of sharesIn(repository)) tags.set(releaseTag(version), root.digest)
      return tags
    },
    async referrers(repository, subject) {
      const found = new Map<Digest, Descriptor>()
      for await (const { attached } of sharesIn(repository))
        for (const entry of attached.get(subject) ?? []) found.set(entry.digest, entry)
      return [...found.values()]
    },
    async neededBy(digest) {
      const names: string[] = []
      for (const release of list()) {
        const shares = await sharesOf(release)
        if (shares.get(release.system)?.blobs.has(digest) === true) names.push(release.name)
      }
      return names
    },
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

/** What is read by `manifests/`, not by `blobs/` only. */
export const isDocument = ({ mediaType }: Descriptor): boolean =>
  isManifestType(mediaType) || isIndexType(mediaType)
