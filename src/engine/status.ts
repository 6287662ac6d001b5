import { type EnvironmentState, servingGeneration, warmGeneration } from '../core/environment-state.ts'
import type { Generation, GroupSpec } from '../core/generation.ts'
import type { EnvironmentId } from '../core/ids.ts'
import type { Observation } from '../core/observation.ts'
import type { Op } from '../core/op.ts'
import { sameRoutes } from '../core/plan.ts'
import type { RouteEntry } from '../core/route-table.ts'
import { BasaltError } from '../errors.ts'
import type { Target, TrafficFigures } from '../targets/target.ts'
import type { EnvironmentStatus, StatusRequest, StatusResult } from './engine.ts'
import { environmentTarget } from './environment-target.ts'
import { knownEnvironments } from './find-environment.ts'
import type { EnginePorts } from './ports.ts'

export async function status(ports: EnginePorts, request: StatusRequest, op: Op): Promise<StatusResult> {
  const ids = knownEnvironments(ports.journal.view.environments.keys(), request.system, request.environment)
  const environments = await Promise.all(ids.map((id) => environmentStatus(ports, id, op)))
  return { schema: 'basalt.status/v1', environments: environments.filter((one) => one !== null) }
}

async function environmentStatus(
  ports: EnginePorts,
  id: EnvironmentId,
  op: Op,
): Promise<EnvironmentStatus | null> {
  const state = ports.journal.environment(id)
  const serving = servingGeneration(state)
  const targetName = serving?.binding.target ?? state.target
  if (targetName === null) return null
  const target = environmentTarget(ports, id, targetName, null, 'overlook')
  const hasRun = state.newest !== null || state.deployment !== null
  const [{ observation, unseen }, traffic] = await Promise.all([
    look(target, id, op),
    trafficOf(target, id, op),
  ])
  const services = (serving?.groups ?? []).map((group) => serviceStatus(group, observation, traffic))
  const warm = warmGeneration(state)
  const drift =
    state.deployment !== null
      ? []
      : unseen === null
        ? driftOf(serving, warm, observation, services)
        : hasRun
          ? [`what runs cannot be seen: ${unseen}`]
          : []
  // Where nothing ever ran there is nothing to show but what a failed deployment could not take away.
  if (!hasRun && drift.length === 0) return null
  return {
    name: id,
    target: targetName,
    state: stateOf(state, services),
    release: serving === null ? null : { name: serving.release.name, digest: serving.release.digest },
    generation: serving?.number ?? null,
    endpoints: serving === null ? [] : [...new Set(serving.routes.entries.map(endpoint))],
    services,
    traffic: traffic?.entry ?? null,
    warm:
      warm === null || state.warm === null
        ? null
        : { generation: warm.number, release: warm.release.name, until: state.warm.until },
    drift,
    deployment: state.deployment?.deployment ?? null,
  }
}

/**
 * What runs; and why that cannot be seen, where it cannot: other environments, and what is known of this one, are wanted
 * most when something is away.
 */
async function look(
  target: Target,
  id: EnvironmentId,
  op: Op,
): Promise<{ readonly observation: Observation; readonly unseen: string | null }> {
  try {
    return { observation: await target.observe(id, op), unseen: null }
  } catch (error) {
    if (op.signal.aborted || !(error instanceof BasaltError)) throw error
    return { observation: { environment: id, groups: [], routes: null }, unseen: error.message }
  }
}

type ServiceStatus = EnvironmentStatus['services'][number]

/** Figures that cannot be had must not hide the rest. */
const trafficOf = async (target: Target, id: EnvironmentId, op: Op): Promise<TrafficFigures | null> =>
  (await target.traffic?.(id, op).catch(() => undefined)) ?? null

function serviceStatus(
  { id, service, image, replicas }: GroupSpec,
  observation: Observation,
  traffic: TrafficFigures | null,
): ServiceStatus {
  const instances = observation.groups.find((group) => group.id === id)?.instances ?? []
  const healthy = instances.filter(({ state }) => state === 'healthy').length
  const problems = instances.flatMap(({ id: instance, problem }) =>
    problem === null ? [] : [`${instance}: ${problem}`],
  )
  const figures = traffic?.groups[id] ?? null
  return { name: service, group: id, image, desired: replicas, healthy, problems, traffic: figures }
}

function stateOf(state: EnvironmentState, services: readonly ServiceStatus[]): EnvironmentStatus['state'] {
  if (state.deployment !== null) return 'deploying'
  if (state.serving === null) return 'down'
  return services.every(({ desired, healthy }) => healthy >= desired) ? 'serving' : 'degraded'
}

function driftOf(
  serving: Generation | null,
  warm: Generation | null,
  observation: Observation,
  services: readonly ServiceStatus[],
): readonly string[] {
  const known = new Set([...(serving?.groups ?? []), ...(warm?.groups ?? [])].map(({ id }) => id))
  const strangers = observation.groups
    .filter(({ id }) => !known.has(id))
    .map(({ id }) => `${id} runs but belongs to nothing`)
  const missing = services
    .filter(({ desired, healthy }) => healthy < desired)
    .map(
      ({ name, desired, healthy }) => `${desired - healthy} of ${desired} instances of ${name} not healthy`,
    )
  const routes =
    serving !== null && !sameRoutes(observation, serving) ? ['routes are not those of the generation'] : []
  return [...missing, ...routes, ...strangers]
}

/** A URL that works on this machine: a route for every host is shown as localhost. */
function endpoint(entry: RouteEntry): string {
  if (entry.kind === 'tcp') return `tcp://localhost:${entry.entryPort}`
  const host = entry.host === '*' ? 'localhost' : entry.host
  const port = entry.entryPort === 80 ? '' : `:${entry.entryPort}`
  return `http://${host}${port}${entry.path}`
}
