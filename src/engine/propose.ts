import type { EnvironmentState } from '../core/environment-state.ts'
import { servingGeneration, warmGeneration } from '../core/environment-state.ts'
import type { Generation } from '../core/generation.ts'
import type { EnvironmentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { type Plan, plan } from '../core/plan.ts'
import { BasaltError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import type { PlanResult } from './engine.ts'
import { environmentTarget } from './environment-target.ts'
import { targetNamed } from './find-environment.ts'
import { planResult } from './plan-result.ts'
import type { EnginePorts } from './ports.ts'
import { shareRouter } from './span-targets.ts'

/** What a deployment would do, seen from a state of the ledger and from the truth. */
export interface Proposal {
  readonly environment: EnvironmentId
  /** The ledger's version that it was made from: it holds only for that. */
  readonly version: number
  readonly kind: 'deploy' | 'rollback' | 'down'
  readonly from: Generation | null
  readonly to: Generation
  readonly parent: number | null
  readonly target: Target
  readonly result: PlanResult
}

export interface Goal {
  readonly kind: Proposal['kind']
  /** Given the state, the generation to go to and the one a later rollback would go to. */
  readonly choose: (state: EnvironmentState) => { readonly to: Generation; readonly parent: number | null }
  readonly warnings: readonly string[]
}

export async function propose(
  ports: EnginePorts,
  environment: EnvironmentId,
  goal: Goal,
  op: Op,
): Promise<Proposal> {
  const state = ports.journal.environment(environment)
  const { to, parent } = goal.choose(state)
  refuseRouteConflicts(ports, to)
  const target = environmentTarget(ports, environment, to.binding.target, to, 'refuse')
  const from = servingGeneration(state)
  const observation = await target.observe(environment, op)
  const proposed = plan(from, to, observation)
  const warnings = [...moveWarnings(ports, from, to), ...goal.warnings]
  const result = planResult(keepingWarm(proposed, state), target, warnings)
  return { environment, version: state.version, kind: goal.kind, from, to, parent, target, result }
}

/** Without a router in common, one stops answering and then the other one does. */
function moveWarnings(ports: EnginePorts, from: Generation | null, to: Generation): readonly string[] {
  const [here, there] = [from?.binding.target, to.binding.target]
  if (here === undefined || shareRouter(targetNamed(ports, here), targetNamed(ports, there))) return []
  return [`${to.environment} moves from ${here} to ${there}, which share no router: not in one step`]
}

/** The serving generation's groups are stopped after the warm time only: that is not a step of this deployment. */
function keepingWarm(proposed: Plan, state: EnvironmentState): Plan {
  const warmGroups = new Set((warmGeneration(state)?.groups ?? []).map(({ id }) => id))
  const servingGroups = new Set((proposed.from?.groups ?? []).map(({ id }) => id))
  // What stops before that makes room for a start: it is not taken away but replaced.
  const last = proposed.steps.findLastIndex(({ kind }) => kind === 'start' || kind === 'route')
  const steps = proposed.steps.filter(
    (step, index) =>
      (step.kind !== 'drain' && step.kind !== 'stop') ||
      index < last ||
      proposed.to.groups.length === 0 ||
      proposed.to.binding.warmMs === 0 ||
      (!servingGroups.has(step.group) && !(last === -1 && warmGroups.has(step.group))),
  )
  return { ...proposed, steps }
}

/** Two environments that want the same host, path and port: told before anything starts. */
function refuseRouteConflicts(ports: EnginePorts, to: Generation): void {
  const { journal } = ports
  const wanted = new Map(to.routes.entries.map((entry) => [routeKey(entry), entry]))
  for (const [id, state] of journal.view.environments) {
    if (id === to.environment) continue
    for (const held of [servingGeneration(state), state.deployment?.to ?? null]) {
      const clash =
        held !== null &&
        shareRouter(targetNamed(ports, held.binding.target), targetNamed(ports, to.binding.target)) &&
        held.routes.entries.find((e) => wanted.has(routeKey(e)))
      if (!clash) continue
      throw new BasaltError('route.conflict', {
        message: `${to.environment} cannot answer at ${routeKey(clash)}: ${id} already does`,
        remedy:
          'Give one of them another host, path or ingress port in basalt.yaml (`basalt init` writes a first one).',
        details: { environment: id, route: routeKey(clash) },
      })
    }
  }
}

const routeKey = (entry: Generation['routes']['entries'][number]): string =>
  entry.kind === 'http'
    ? `port ${entry.entryPort}, host ${entry.host}, path ${entry.path}`
    : `port ${entry.entryPort}`
