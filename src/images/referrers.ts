import type { Digest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { isManifestType } from './descriptor.ts'
import { manifestSchema, parse, readJson } from './image.ts'

/** Finds documents about images: listed manifests that name one as their `subject` (image-spec, manifest.md). */
export interface Referrers {
  /** Sorted by digest. An entry that cannot be read as a manifest refers to nothing. */
  of(subjects: ReadonlySet<Digest>): Promise<readonly Descriptor[]>
}

const isUnusable = (cause: unknown): boolean =>
  cause instanceof BasaltError && (cause.code === 'image.invalid' || cause.code === 'image.unknown')

/** Remembers who refers to whom: a manifest never changes, and each needs to be read only once. */
export function createReferrers(store: ContentStore): Referrers {
  const subjectOf = new Map<Digest, Digest | null>()

  const readSubject = async ({ digest }: Descriptor): Promise<Digest | null> => {
    const known = subjectOf.get(digest)
    if (known !== undefined) return known
    try {
      const subject = parse(manifestSchema, await readJson(store, digest), digest).subject?.digest ?? null
      subjectOf.set(digest, subject)
      return subject
    } catch (cause) {
      // One bad entry, of whichever image, must not stop the releases of all others.
      if (isUnusable(cause)) return null
      throw cause
    }
  }

  return {
    async of(subjects) {
      const found: Descriptor[] = []
      for (const entry of await store.references()) {
        if (!isManifestType(entry.mediaType) || subjects.has(entry.digest)) continue
        const subject = await readSubject(entry)
        if (subject !== null && subjects.has(subject)) found.push(entry)
      }
      return found.sort((a, b) => (a.digest < b.digest ? -1 : 1))
    },
  }
}
