import { healthyCounts } from './changes.ts'
import type { Deployment } from './deployment.ts'
import type { ErrorFacts } from './error-facts.ts'
import type { DeploymentPhase } from './events.ts'
import type { Generation, GroupSpec } from './generation.ts'
import type { GroupId } from './ids.ts'
import type { Observation } from './observation.ts'
import { sameRoutes, startOrder } from './plan.ts'
import { predecessorsIn } from './predecessors.ts'
import type { RouteTable } from './route-table.ts'

/** What to do next. The engine records the intent, acts, records the outcome, observes, and asks again. */
export type Action =
  /** Then enter `starting`. */
  | { readonly kind: 'prepare'; readonly groups: readonly GroupSpec[]; readonly table: RouteTable }
  | { readonly kind: 'enter'; readonly phase: DeploymentPhase }
  /** Turns back: the phase becomes `reverting`. */
  | { readonly kind: 'fail'; readonly error: ErrorFacts }
  /** All of them at the same time. */
  | { readonly kind: 'start'; readonly groups: readonly GroupSpec[] }
  | { readonly kind: 'stop'; readonly groups: readonly StopOrder[] }
  | { readonly kind: 'route'; readonly table: RouteTable }
  /** Nothing to do for so long, or before something happens. */
  | { readonly kind: 'wait'; readonly forMs: number | null }
  | { readonly kind: 'end'; readonly outcome: 'succeeded' | 'failed' | 'aborted' }

export interface StopOrder {
  readonly group: GroupId
  readonly service: string
  readonly keep: number
  /** The stateful successor that takes over the name while the old one is away. */
  readonly successor?: GroupSpec
}

/** How long it has lasted: durations, as a clock that is set must not make a wait longer or shorter. */
export interface Age {
  readonly deploymentMs: number
  readonly phaseMs: number
}

/** Groups whose start is under way right now: not to be started twice. */
export type Busy = ReadonlySet<GroupId>

/**
 * The rollout, as a pure function of what was recorded, what is there, and how long it has lasted. It remembers
 * nothing, so it goes on after a crash from wherever the world is.
 */
export function decide(deployment: Deployment, observation: Observation, age: Age, busy: Busy): Action {
  if (deployment.phase === 'reverting') return revert(deployment, observation, busy)
  const stop = reasonToTurnBack(deployment, observation, age)
  if (stop !== null) return { kind: 'fail', error: stop }
  switch (deployment.phase) {
    case 'preparing':
      return { kind: 'prepare', groups: deployment.to.groups, table: deployment.to.routes }
    case 'starting':
      return startMissing(deployment.fromGeneration, deployment.to, observation, busy) ?? enter('verifying')
    case 'verifying':
      return enter('switching')
    case 'switching':
      if (!sameRoutes(observation, deployment.to)) return { kind: 'route', table: deployment.to.routes }
      return enter('watching')
    case 'watching': {
      const forMs = watchMs(deployment) - age.phaseMs
      return forMs > 0 ? { kind: 'wait', forMs } : enter('draining')
    }
    case 'draining':
      return enter('retiring')
    case 'retiring':
      return retire(deployment, observation) ?? { kind: 'end', outcome: 'succeeded' }
  }
}

const enter = (phase: DeploymentPhase): Action => ({ kind: 'enter', phase })

/** A generation that has served before was watched then; one that starts nothing has nothing to prove. */
const watchMs = (deployment: Deployment): number =>
  deployment.kind === 'deploy' && deployment.started.length > 0 ? deployment.to.binding.watchMs : 0

function reasonToTurnBack(deployment: Deployment, observation: Observation, age: Age): ErrorFacts | null {
  if (deployment.phase === 'draining' || deployment.phase === 'retiring') return null
  if (deployment.abortRequested)
    return { code: 'deployment.aborted', message: 'aborted on request', remedy: null, details: {} }
  const { timeoutMs } = deployment
  if (timeoutMs !== null && age.deploymentMs >= timeoutMs && deployment.phase !== 'watching')
    return {
      code: 'deployment.failed',
      message: `not finished after ${timeoutMs / 1000} s, in phase ${deployment.phase}${whatIsWrong(deployment.to, observation)}`,
      remedy: 'Look at `basalt logs --previous`, or give it more time with --timeout.',
      details: {},
    }
  return deployment.phase === 'preparing' || deployment.phase === 'starting'
    ? null
    : lostInstances(deployment.to, observation)
}

/** What the first unwell instance of a generation says, to stand behind a colon; empty when none says anything. */
function whatIsWrong(to: Generation, observation: Observation): string {
  const wanted = new Set(to.groups.map(({ id }) => id))
  const problems = observation.groups
    .filter(({ id }) => wanted.has(id))
    .flatMap(({ service, instances }) =>
      instances.flatMap(({ problem }) => (problem === null ? [] : [`: ${service}: ${problem}`])),
    )
  return problems[0] ?? ''
}

/** Once all were healthy, one that is not any more is reason enough. */
function lostInstances(to: Generation, observation: Observation): ErrorFacts | null {
  const healthy = healthyCounts(observation)
  for (const group of to.groups) {
    const count = healthy.get(group.id) ?? 0
    if (count >= group.replicas) continue
    const instances = observation.groups.find(({ id }) => id === group.id)?.instances ?? []
    const problem = instances.find(({ problem }) => problem !== null)?.problem ?? 'an instance is gone'
    return {
      code: instances.some(({ state }) => state === 'exited') ? 'group.died' : 'group.unhealthy',
      message: `${lostText(group, count)}: ${problem}`,
      remedy: 'Correct what made it fail and deploy again; `basalt history` keeps this attempt.',
      details: { group: group.id, service: group.service },
    }
  }
  return null
}

const lostText = ({ service, replicas }: GroupSpec, healthy: number): string =>
  replicas === 1
    ? `the instance of ${service} was lost after it was healthy`
    : `${replicas - healthy} of ${replicas} instances of ${service} were lost after they were healthy`

/** The next starts, or what must go before them; null when every group of `next` is healthy. */
function startMissing(
  previous: Generation | null,
  next: Generation,
  observation: Observation,
  busy: Busy,
): Action | null {
  const healthy = healthyCounts(observation)
  const isHealthy = (group: GroupSpec): boolean => (healthy.get(group.id) ?? 0) >= group.replicas
  const missing = next.groups.filter((group) => !isHealthy(group))
  // Healthy is not enough while a start is under way: it may still have to join the router, and can fail at that.
  if (missing.length === 0)
    return next.groups.some(({ id }) => busy.has(id)) ? { kind: 'wait', forMs: null } : null

  // What writes a volume goes on until its successor can start at once, and nothing else is left to start before.
  const startable = ready(next, missing, isHealthy).filter(({ id }) => !busy.has(id))
  const predecessors = predecessorsIn(previous, next, observation)
  const groups = startable.filter((group) => predecessors(group).length === 0)
  if (groups.length > 0) return { kind: 'start', groups }

  const named = new Set((previous?.groups ?? []).map(({ id }) => id))
  const writers = new Map<GroupId, StopOrder>()
  for (const group of startable)
    for (const { id, service } of predecessors(group)) {
      if (writers.has(id) && service !== group.service) continue
      // Only what served is known to anybody by its name.
      const successor = named.has(id) ? { successor: group } : {}
      writers.set(id, { group: id, service, keep: 0, ...successor })
    }
  return writers.size === 0 ? { kind: 'wait', forMs: null } : { kind: 'stop', groups: [...writers.values()] }
}

/** Missing groups all of whose needs are healthy; needs within a cycle do not wait for each other. */
function ready(
  next: Generation,
  missing: readonly GroupSpec[],
  isHealthy: (group: GroupSpec) => boolean,
): readonly GroupSpec[] {
  const byId = new Map(next.groups.map((group) => [group.id, group]))
  const position = new Map(startOrder(next.groups).map((group, index) => [group.id, index]))
  return missing.filter((group) =>
    Object.values(group.needs).every((need) => {
      const needed = byId.get(need)
      const comesLater = (position.get(need) ?? 0) >= (position.get(group.id) ?? 0)
      return needed === undefined || comesLater || isHealthy(needed)
    }),
  )
}

/** Stops what neither the new generation nor the one before it uses, and surplus instances. */
function retire(deployment: Deployment, observation: Observation): Action | null {
  const { fromGeneration, to } = deployment
  const keepsWarm = deployment.kind !== 'down' && to.binding.warmMs > 0
  const kept = new Set((keepsWarm ? (fromGeneration?.groups ?? []) : []).map(({ id }) => id))
  const wanted = new Map(to.groups.map((group) => [group.id, group.replicas]))
  const groups = observation.groups.flatMap(({ id, service, instances }): readonly StopOrder[] => {
    const replicas = wanted.get(id)
    if (replicas === undefined) return kept.has(id) ? [] : [{ group: id, service, keep: 0 }]
    return instances.length > replicas && !kept.has(id) ? [{ group: id, service, keep: replicas }] : []
  })
  return groups.length === 0 ? null : { kind: 'stop', groups }
}

/** Back to `from`: its routes first, then its groups, then nothing of the new one is left. */
function revert(deployment: Deployment, observation: Observation, busy: Busy): Action {
  const back = deployment.fromGeneration
  const table = back?.routes ?? { ...deployment.to.routes, generation: null, entries: [] }
  const goal: Generation = { ...(back ?? deployment.to), groups: back?.groups ?? [], routes: table }
  const stopped = new Set(deployment.stopped)
  const isBack = sameRoutes(observation, goal)
  // Traffic does not return to a group that cannot answer. Where it never left, what this deployment did not stop
  // was not better before, and is healed like at any other time.
  const needed = isBack ? goal.groups.filter(({ id }) => stopped.has(id)) : goal.groups

  const restart = startMissing(deployment.to, { ...goal, groups: needed }, observation, busy)
  if (restart !== null) return restart
  if (!isBack) return { kind: 'route', table }
  const kept = new Set(goal.groups.map(({ id }) => id))
  // Not all of `to`: what it found running, warm, is not its own to take away.
  const mine = new Set(deployment.started)
  const groups = observation.groups
    .filter(({ id }) => mine.has(id) && !kept.has(id))
    .map(({ id, service }) => ({ group: id, service, keep: 0 }))
  if (groups.length > 0) return { kind: 'stop', groups }
  return { kind: 'end', outcome: deployment.failure?.code === 'deployment.aborted' ? 'aborted' : 'failed' }
}
