import type { Generation, GroupSpec } from './generation.ts'
import type { GroupId } from './ids.ts'
import type { Observation, ObservedGroup } from './observation.ts'

/**
 * What has to be stopped before a group may start, as two writers on one volume are never allowed: whatever is
 * there and writes one of its volumes, under another service's name and in an earlier generation too; and the
 * stateful group of `from` that it replaces.
 */
export function predecessorsIn(
  from: Generation | null,
  to: Generation,
  observation: Observation,
): (next: GroupSpec) => readonly ObservedGroup[] {
  const wanted = new Set(to.groups.map(({ id }) => id))
  const replaced = new Map<string, GroupId>()
  for (const { service, id, run } of from?.groups ?? []) if (run.stateful) replaced.set(service, id)
  const present = new Map<GroupId, ObservedGroup>()
  const writers = new Map<string, GroupId[]>()
  for (const group of observation.groups) {
    if (wanted.has(group.id)) continue
    present.set(group.id, group)
    for (const volume of group.volumes) writers.set(volume, [...(writers.get(volume) ?? []), group.id])
  }
  return ({ service, run }) => {
    const ids = new Set(run.volumes.flatMap(({ name }) => writers.get(name) ?? []))
    const old = run.stateful ? replaced.get(service) : undefined
    if (old !== undefined) ids.add(old)
    return [...ids].flatMap((id) => present.get(id) ?? [])
  }
}
