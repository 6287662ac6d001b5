import type { GroupId } from '../core/ids.ts'
import type { Observation } from '../core/observation.ts'
import type { RouteTable } from '../core/route-table.ts'
import { invariant } from '../errors.ts'
import type { Target } from '../targets/target.ts'

export interface SpanOptions {
  /** Where the environment is, or moves. */
  readonly main: Target
  /** Where it may still have something. */
  readonly others: readonly Target[]
  /** On which of them a group belongs. */
  readonly places: ReadonlyMap<GroupId, Target>
  /** Those of which it is taken that they have nothing when they cannot be looked at. */
  readonly overlooked: ReadonlySet<Target>
}

/**
 * Several targets as one, for an environment that moves between them: each group is started and stopped where it belongs,
 * and what is observed is what all of them have. Targets that share a router switch in one step; others one after the
 * other, the one that is to answer first.
 */
export function spanTargets({ main, others, places, overlooked }: SpanOptions): Target {
  const all = [main, ...others]
  /** Where groups really were when last looked at, those that belong nowhere among them. */
  const seen = new Map<GroupId, Target>()
  const placeOf = (group: GroupId): Target => places.get(group) ?? seen.get(group) ?? main
  const look = (target: Target): Target['observe'] =>
    overlooked.has(target)
      ? (environment, op) =>
          target.observe(environment, op).catch(() => ({ environment, groups: [], routes: null }))
      : (environment, op) => target.observe(environment, op)

  return {
    name: main.name,
    guarantees: main.guarantees,
    prepare: async (groups, op) => {
      await Promise.all(
        all.map(async (target) => {
          const own = groups.filter(({ id }) => placeOf(id) === target)
          if (own.length > 0) await target.prepare(own, op)
        }),
      )
    },
    async observe(environment, op) {
      const observations = await Promise.all(all.map((target) => look(target)(environment, op)))
      for (const [index, { groups }] of observations.entries())
        for (const { id } of groups) seen.set(id, all[index] ?? main)
      return merged(observations)
    },
    start: (group, op) => placeOf(group.id).start(group, op),
    async route(table, op) {
      const answering = answeringFor(table, placeOf, main)
      await answering.route(table, op)
      const nothing = { environment: table.environment, generation: null, entries: [] }
      for (const target of all) if (!shareRouter(target, answering)) await target.route(nothing, op)
    },
    stop: (group, op, keep) => placeOf(group).stop(group, op, keep),
    open: async (table, op) => answeringFor(table, placeOf, main).open?.(table, op),
    async *logs(instance, options, op) {
      yield* placeOf(instance.slice(0, instance.lastIndexOf('.')) as GroupId).logs?.(instance, options, op) ??
        []
    },
    logged: async (group, op) => (await placeOf(group).logged?.(group, op)) ?? [],
    traffic: async (environment, op) =>
      (await main.traffic?.(environment, op)) ?? { entry: noRequests, groups: {} },
    handOver: async (from, to, op) => placeOf(to.id).handOver?.(from, to, op),
  }
}

const noRequests = { requests: 0, failed: 0, p50Ms: null, p99Ms: null }

/** Of one router, or the very same target. */
export const shareRouter = (one: Target, other: Target): boolean =>
  one.name === other.name || (one.router !== undefined && one.router === other.router)

/** The target whose groups a table names; a table never names groups of targets that share no router. */
const answeringFor = (table: RouteTable, placeOf: (group: GroupId) => Target, main: Target): Target => {
  const [first] = table.entries
  return first === undefined ? main : placeOf(first.group)
}

/** Groups of all; of the routes those that are somewhere, the main target's first. */
function merged(observations: readonly Observation[]): Observation {
  const [main] = observations
  invariant(main !== undefined, 'no target was observed')
  return {
    environment: main.environment,
    groups: observations.flatMap(({ groups }) => groups).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    routes: observations.find(({ routes }) => routes !== null)?.routes ?? null,
  }
}
