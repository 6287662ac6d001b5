import { changesBetween, healthyCounts, type ServiceChange } from './changes.ts'
import { components } from './components.ts'
import type { Generation, GroupSpec } from './generation.ts'
import type { GroupId } from './ids.ts'
import type { Observation } from './observation.ts'
import { predecessorsIn } from './predecessors.ts'

/** There is no update step: to change anything is to start, switch and stop. */
export type Step =
  | { readonly kind: 'start'; readonly service: string; readonly group: GroupId; readonly replicas: number }
  /** The one switch; `generation` null: nothing is served any more. */
  | { readonly kind: 'route'; readonly generation: number | null; readonly routes: number }
  | { readonly kind: 'drain'; readonly service: string; readonly group: GroupId }
  /** `keep` instances stay: the group goes on with fewer. */
  | { readonly kind: 'stop'; readonly service: string; readonly group: GroupId; readonly keep: number }

export interface Plan {
  readonly from: Generation | null
  readonly to: Generation
  readonly changes: readonly ServiceChange[]
  readonly steps: readonly Step[]
  /** Stateful services that are stopped before their successor starts: they pause. */
  readonly pauses: readonly string[]
}

/**
 * The way from one generation to the next, given what really runs. Pure and total: the same input gives the
 * same bytes. `from`'s own groups are stopped last; while they stay warm the stop is a promise for later.
 */
export function plan(from: Generation | null, to: Generation, observation: Observation): Plan {
  const healthy = healthyCounts(observation)
  const changes = changesBetween(from, to, observation)
  const wanted = new Map(to.groups.map((group) => [group.id, group]))
  const predecessors = predecessorsIn(from, to, observation)
  const serving = new Set((from?.groups ?? []).map(({ id }) => id))

  const steps: Step[] = []
  const pauses: string[] = []
  const stopped = new Set<GroupId>()
  for (const group of startOrder(to.groups)) {
    if ((healthy.get(group.id) ?? 0) >= group.replicas) continue
    for (const { id, service } of predecessors(group)) {
      if (stopped.has(id)) continue
      steps.push(...removal(service, id))
      stopped.add(id)
      if (serving.has(id)) pauses.push(service)
    }
    steps.push({ kind: 'start', service: group.service, group: group.id, replicas: group.replicas })
  }
  if (!sameRoutes(observation, to))
    steps.push({ kind: 'route', generation: to.routes.generation, routes: to.routes.entries.length })
  for (const { id, service } of observation.groups) {
    const group = wanted.get(id)
    const surplus = group === undefined ? 0 : (healthy.get(id) ?? 0) - group.replicas
    if (group !== undefined && surplus > 0)
      steps.push({ kind: 'stop', service, group: id, keep: group.replicas })
    if (group === undefined && !stopped.has(id)) steps.push(...removal(service, id))
  }
  return { from, to, changes, steps, pauses }
}

const removal = (service: string, group: GroupId): readonly Step[] => [
  { kind: 'drain', service, group },
  { kind: 'stop', service, group, keep: 0 },
]

/** Groups so that each comes after all that it needs (within a cycle: by name). */
export function startOrder(groups: readonly GroupSpec[]): readonly GroupSpec[] {
  const byService = new Map(groups.map((group) => [group.service, group]))
  const graph = new Map(groups.map((group) => [group.service, Object.keys(group.needs)]))
  return components(graph).flatMap((members) => members.flatMap((member) => byService.get(member) ?? []))
}

/** Entries decide; the generation's number is only a label on them. */
export function sameRoutes(observation: Observation, to: Generation): boolean {
  const key = (entries: Generation['routes']['entries']): string =>
    entries
      .map((entry) =>
        entry.kind === 'http'
          ? `${entry.entryPort} ${entry.host} ${entry.path} ${entry.group} ${entry.port}`
          : `${entry.entryPort} ${entry.group} ${entry.port}`,
      )
      .toSorted()
      .join('\n')
  return key(observation.routes?.entries ?? []) === key(to.routes.entries)
}
