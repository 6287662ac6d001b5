import type { Mutex } from '../../../util/mutex.ts'
import type { ContentStore } from '../../content-store.ts'
import type { Authority } from './authorize.ts'
import type { Catalogue } from './catalogue.ts'
import type { ReleaseRepositories } from './release-repositories.ts'
import type { Uploads } from './uploads.ts'

/** Everything that the registry serves from. */
export interface RegistryParts {
  readonly content: ContentStore
  readonly catalogue: Catalogue
  readonly uploads: Uploads
  readonly releases: ReleaseRepositories
  readonly authority: Authority
  /** Of a repository: what leads to what is changed by one request at a time. */
  readonly changes: (repository: string) => Mutex
  /** For failures that are no client's. */
  readonly report: (message: string, error: unknown) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}
