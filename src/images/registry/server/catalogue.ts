import type { Digest } from '../../../core/ids.ts'
import type { Descriptor } from '../../content-store.ts'
import { databaseError, openDatabase } from './open-database.ts'

/** What a repository holds of what was pushed to it. Every change is durable when its call returns. */
export interface Catalogue {
  /** Makes a blob of the content store visible in a repository. */
  linkBlob(repository: string, digest: Digest): void
  hasBlob(repository: string, digest: Digest): boolean
  /** In any repository. */
  isLinked(digest: Digest): boolean
  unlinkBlob(repository: string, digest: Digest): void
  manifest(repository: string, digest: Digest): Descriptor | null
  /**
   * Adds a manifest, all that it uses, and a tag, in one step; adding it again is success. Resolves with what the tag
   * means already, and adds nothing, when that is another manifest.
   */
  putManifest(repository: string, manifest: NewManifest, tag: string | null): TagRecord | null
  /** With its tags, which stay reserved for its digest. */
  deleteManifest(repository: string, digest: Digest, now: number): void
  /** Manifests of a repository that lead to a blob or a manifest. */
  usersOf(repository: string, digest: Digest): readonly Digest[]
  tag(repository: string, name: string): TagRecord | null
  deleteTag(repository: string, name: string, now: number): void
  /** Not those that were deleted. */
  tags(repository: string): readonly string[]
  referrers(repository: string, subject: Digest): readonly Descriptor[]
  has(repository: string): boolean
  repositories(): readonly string[]
  close(): void
}

export interface NewManifest {
  readonly descriptor: Descriptor
  readonly subject: Digest | null
  readonly uses: readonly Digest[]
}

export interface TagRecord {
  readonly digest: Digest
  /** Milliseconds since the epoch; null: it is there. */
  readonly deletedAt: number | null
}

export function openCatalogue(path: string): Catalogue {
  const database = openDatabase(path)
  const all = <Row>(sql: string) => {
    const statement = database.prepare<Record<string, unknown>, Row>(sql)
    return (values: Record<string, unknown>): Row[] => guarded(path, () => statement.all(values))
  }
  const run = (sql: string) => {
    const statement = database.prepare<Record<string, unknown>>(sql)
    return (values: Record<string, unknown>): void => guarded(path, () => void statement.run(values))
  }
  const together = <Result>(work: () => Result): Result =>
    guarded(path, () => database.transaction(work).immediate())
  return { ...queries(all), ...changes(run, all, together), close: () => database.close() }
}

type All = <Row>(sql: string) => (values: Record<string, unknown>) => Row[]
type Run = (sql: string) => (values: Record<string, unknown>) => void

interface ManifestRow {
  readonly digest: Digest
  readonly media_type: string
  readonly size: number
  readonly artifact_type: string | null
  readonly annotations: string | null
}

const toDescriptor = (row: ManifestRow): Descriptor => ({
  mediaType: row.media_type,
  digest: row.digest,
  size: row.size,
  ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
  ...(row.annotations === null ? {} : { annotations: JSON.parse(row.annotations) as Record<string, string> }),
})

const tagQuery =
  'SELECT digest, deleted_at AS deletedAt FROM tag WHERE repository = :repository AND name = :name'

function queries(all: All) {
  const blob = all('SELECT 1 FROM blob WHERE repository = :repository AND digest = :digest')
  const linked = all('SELECT 1 FROM blob WHERE digest = :digest LIMIT 1')
  const manifest = all<ManifestRow>(
    'SELECT * FROM manifest WHERE repository = :repository AND digest = :digest',
  )
  const users = all<{ manifest: Digest }>(
    'SELECT manifest FROM used_blob WHERE repository = :repository AND digest = :digest ORDER BY manifest',
  )
  const tag = all<TagRecord>(tagQuery)
  const tags = all<{ name: string }>(
    'SELECT name FROM tag WHERE repository = :repository AND deleted_at IS NULL ORDER BY name',
  )
  const referrers = all<ManifestRow>(
    'SELECT * FROM manifest WHERE repository = :repository AND subject = :subject ORDER BY digest',
  )
  const named = all(
    'SELECT 1 FROM blob WHERE repository = :repository UNION ALL SELECT 1 FROM manifest WHERE repository = :repository UNION ALL SELECT 1 FROM tag WHERE repository = :repository LIMIT 1',
  )
  const repositories = all<{ repository: string }>(
    'SELECT repository FROM manifest UNION SELECT repository FROM tag WHERE deleted_at IS NULL ORDER BY repository',
  )
  return {
    hasBlob: (repository: string, digest: Digest) => blob({ repository, digest }).length > 0,
    isLinked: (digest: Digest) => linked({ digest }).length > 0,
    manifest(repository: string, digest: Digest) {
      const [row] = manifest({ repository, digest })
      return row === undefined ? null : toDescriptor(row)
    },
    usersOf: (repository: string, digest: Digest) => users({ repository, digest }).map((row) => row.manifest),
    tag: (repository: string, name: string) => tag({ repository, name })[0] ?? null,
    tags: (repository: string) => tags({ repository }).map(({ name }) => name),
    referrers: (repository: string, subject: Digest) => referrers({ repository, subject }).map(toDescriptor),
    has: (repository: string) => named({ repository }).length > 0,
    repositories: () => repositories({}).map(({ repository }) => repository),
  }
}

function changes(run: Run, all: All, together: <Result>(work: () => Result) => Result) {
  const linkBlob = run('INSERT OR IGNORE INTO blob VALUES (:repository, :digest)')
  const unlinkBlob = run('DELETE FROM blob WHERE repository = :repository AND digest = :digest')
  const addManifest = run(
    'INSERT OR IGNORE INTO manifest VALUES (:repository, :digest, :mediaType, :size, :subject, :artifactType, :annotations)',
  )
  const addUse = run('INSERT OR IGNORE INTO used_blob VALUES (:repository, :used, :digest)')
  const tag = all<TagRecord>(tagQuery)
  const setTag = run(
    'INSERT INTO tag VALUES (:repository, :name, :digest, NULL) ON CONFLICT DO UPDATE SET deleted_at = NULL',
  )
  const deleteTag = run(
    'UPDATE tag SET deleted_at = :now WHERE repository = :repository AND name = :name AND deleted_at IS NULL',
  )
  const deleteTagsOf = run(
    'UPDATE tag SET deleted_at = :now WHERE repository = :repository AND digest = :digest AND deleted_at IS NULL',
  )
  const deleteManifest = run('DELETE FROM manifest WHERE repository = :repository AND digest = :digest')
  const deleteUses = run('DELETE FROM used_blob WHERE repository = :repository AND manifest = :digest')

  return {
    linkBlob: (repository: string, digest: Digest) => linkBlob({ repository, digest }),
    unlinkBlob: (repository: string, digest: Digest) => unlinkBlob({ repository, digest }),
    putManifest: (repository: string, { descriptor, subject, uses }: NewManifest, name: string | null) =>
      together(() => {
        const { digest, mediaType, size, artifactType = null, annotations } = descriptor
        const [taken] = name === null ? [] : tag({ repository, name })
        if (taken !== undefined && taken.digest !== digest) return taken
        const written = annotations === undefined ? null : JSON.stringify(annotations)
        addManifest({ repository, digest, mediaType, size, subject, artifactType, annotations: written })
        for (const used of uses) addUse({ repository, used, digest })
        if (name !== null) setTag({ repository, name, digest })
        return null
      }),
    deleteTag: (repository: string, name: string, now: number) => deleteTag({ repository, name, now }),
    deleteManifest: (repository: string, digest: Digest, now: number) =>
      together(() => {
        deleteTagsOf({ repository, digest, now })
        deleteUses({ repository, digest })
        deleteManifest({ repository, digest })
      }),
  }
}

function guarded<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    throw databaseError(path, cause)
  }
}
