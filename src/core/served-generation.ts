import type { Generation, GroupSpec } from './generation.ts'

/**
 * A good generation: it served after its deployment succeeded. Together they are a list with the newest first,
 * so that another success copies nothing of those before it.
 */
export interface ServedGeneration {
  readonly generation: Generation
  /** Where a rollback from here goes; null when there is nothing before. */
  readonly parent: number | null
  /** The good generation before this one, whether a rollback goes there or not. */
  readonly earlier: ServedGeneration | null
}

/** A group that has not changed is the same object in both, so that history grows with changes only. */
export function servedAfter(
  earlier: ServedGeneration | null,
  generation: Generation,
  parent: number | null,
): ServedGeneration {
  const known = new Map((earlier?.generation.groups ?? []).map((group) => [group.id, group]))
  const shared = (group: GroupSpec): GroupSpec => {
    const same = known.get(group.id)
    return same?.replicas === group.replicas ? same : group
  }
  return { generation: { ...generation, groups: generation.groups.map(shared) }, parent, earlier }
}

/** The newest one that `fits`; null: none does. */
export function findServed(
  newest: ServedGeneration | null,
  fits: (generation: Generation) => boolean,
): ServedGeneration | null {
  for (let served = newest; served !== null; served = served.earlier)
    if (fits(served.generation)) return served
  return null
}

export const servedNumber = (newest: ServedGeneration | null, number: number): ServedGeneration | null =>
  findServed(newest, (generation) => generation.number === number)

/** The releases that served, each once, in the order in which they came. */
export function servedReleases(newest: ServedGeneration | null): readonly string[] {
  const names: string[] = []
  for (let served = newest; served !== null; served = served.earlier)
    names.push(served.generation.release.name)
  return [...new Set(names.toReversed())]
}
