import type { Digest } from '../core/ids.ts'

/**
 * Which digests images are pinned to that a system names by tag: what basalt.lock holds of them. By references as they are
 * written. One object is shared by all builds of a run and written once at its end.
 */
export interface ImageLock {
  /** What a reference is pinned to; null: it has to be resolved. */
  find(reference: string): Digest | null
  /** What the file says, also where all is to be resolved anew; null: it does not know the reference. */
  before(reference: string): Digest | null
  /** Takes up what was resolved or found again. */
  keep(reference: string, digest: Digest): void
  /** All that was kept in this run, sorted: what the file shall hold. */
  pinned(): readonly (readonly [reference: string, digest: Digest])[]
}

export function createImageLock(
  locked: Readonly<Record<string, Digest>>,
  { update }: { readonly update: boolean },
): ImageLock {
  const known = new Map(Object.entries(locked))
  const kept = new Map<string, Digest>()
  return {
    find: (reference) => kept.get(reference) ?? (update ? null : (known.get(reference) ?? null)),
    before: (reference) => known.get(reference) ?? null,
    keep: (reference, digest) => void kept.set(reference, digest),
    pinned: () => [...kept].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  }
}
