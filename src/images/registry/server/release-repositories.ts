import type { Digest } from '../../../core/ids.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { createReleaseShares, type RetainedRelease, type Share, type Shares } from './release-shares.ts'
import { releaseTag } from './repository-name.ts'

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

export function createReleaseRepositories(
  content: ContentStore,
  list: () => readonly RetainedRelease[],
  report: (problem: string) => void,
): ReleaseRepositories {
  const sharesOf = createReleaseShares(content)

  /** A release that cannot be read takes no other one with it. */
  const readable = (release: RetainedRelease): Promise<Shares> =>
    sharesOf(release).catch((error: unknown) => {
      report(`${release.name} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return new Map()
    })

  /** Newest first. */
  async function* sharesIn(repository: string): AsyncGenerator<Share & { readonly version: number }> {
    const system = repository.split('/')[0]
    const releases = list().filter((release) => release.system === system)
    for (const release of releases.toReversed()) {
      const share = (await readable(release)).get(repository)
      if (share !== undefined) yield { ...share, version: release.version }
    }
  }

  return {
    isSystem: (repository) => list().some(({ system }) => system === repository),
    async repositories() {
      const names = await Promise.all(list().map(async (release) => [...(await readable(release)).keys()]))
      return [...new Set(names.flat())]
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
        const whole = (await sharesOf(release)).get(release.system)
        if (whole?.blobs.has(digest) === true) names.push(release.name)
      }
      return names
    },
  }
}
