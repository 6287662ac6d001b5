import type { Digest, ReleaseDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release } from '../core/release.ts'
import type { ImportedRelease } from './check-release.ts'
import type { ContentStore } from './content-store.ts'
import { exportRelease } from './export-release.ts'
import { importRelease } from './import-release.ts'
import { createReferrers } from './referrers.ts'
import { loadRelease, type StoredRelease, storeRelease } from './release-artifact.ts'

/** Release documents beside their images, in one content store. */
export interface OciReleaseShelf {
  put(release: Release): Promise<StoredRelease>
  get(releaseDigest: ReleaseDigest): Promise<Release>
  exportArchive(artifact: Digest): AsyncIterable<Uint8Array>
  importArchive(bytes: AsyncIterable<Uint8Array>, op: Op): Promise<ImportedRelease>
}

export function createReleaseShelf(store: ContentStore): OciReleaseShelf {
  const referrers = createReferrers(store)
  return {
    put: (release) => storeRelease(store, referrers, release),
    get: (releaseDigest) => loadRelease(store, releaseDigest),
    exportArchive: (artifact) => exportRelease(store, artifact),
    importArchive: (bytes, op) => importRelease(store, bytes, op),
  }
}
