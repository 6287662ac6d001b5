import { healthyCounts } from '../core/changes.ts'
import { type EnvironmentState, servingGeneration, warmGeneration } from '../core/environment-state.ts'
import type { EnvironmentEvent } from '../core/events.ts'
import type { Generation, GroupSpec } from '../core/generation.ts'
import type { EnvironmentId, GroupId } from '../core/ids.ts'
import type { Observation } from '../core/observation.ts'
import type { Op } from '../core/op.ts'
import { sameRoutes } from '../core/plan.ts'
import type { Target } from '../targets/target.ts'
import { createWake } from '../util/wake.ts'
import { errorFacts } from './error-facts.ts'
import { targetNamed } from './find-environment.ts'
import { HealBackoff } from './heal-backoff.ts'
import type { EnginePorts } from './ports.ts'
import type { RunningStage } from './stage.ts'

const intervalMs = 5000
const shortestSleepMs = 50

/**
 * Between deployments: keeps every environment what its generation says, replaces instances that ended, and
 * retires what is no longer warm. Looks every five seconds, whenever an instance ends, and after a deployment.
 */
export class Reconciler {
  readonly #ports: EnginePorts
  readonly #stage: RunningStage
  readonly #closing = new AbortController()
  readonly #op: Op = { signal: this.#closing.signal }
  readonly #wake = createWake()
  readonly #backoff: HealBackoff
  readonly #unwatch: readonly ((() => void) | undefined)[]
  readonly #done: Promise<void>

  constructor(ports: EnginePorts, stage: RunningStage) {
    this.#ports = ports
    this.#stage = stage
    this.#backoff = new HealBackoff(ports.now)
    this.#unwatch = [
      ...[...ports.targets.values()].map((target) => target.onExit?.(() => this.#wake.nudge())),
      ports.journal.subscribe(({ type }) => (type === 'deployment-ended' ? this.#wake.nudge() : undefined)),
    ]
    this.#done = this.#run()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const stop of this.#unwatch) stop?.()
    await this.#done
  }

  async #run(): Promise<void> {
    const { journal, log } = this.#ports
    while (!this.#closing.signal.aborted) {
      for (const id of journal.view.environments.keys())
        await this.#look(id).catch((error: unknown) => {
          if (!this.#closing.signal.aborted) log(`${id}: reconciling failed`, { error: errorFacts(error) })
        })
      await this.#wake.sleep(this.#sleepMs(), this.#closing.signal)
    }
  }

  #sleepMs(): number {
    const { journal, now } = this.#ports
    const warmEnds = [...journal.view.environments.values()].flatMap(({ warm }) =>
      warm === null ? [] : [warm.until - now()],
    )
    return Math.max(shortestSleepMs, Math.min(intervalMs, this.#backoff.nextMs(), ...warmEnds))
  }

  async #look(id: EnvironmentId): Promise<void> {
    const { journal } = this.#ports
    const state = journal.environment(id)
    const known = servingGeneration(state) ?? [...state.generations.values()].at(-1)?.generation
    if (known === undefined || state.deployment !== null) return
    const target = targetNamed(this.#ports, known.binding.target)
    const observation = await target.observe(id, this.#op)
    const serving = servingGeneration(journal.environment(id))
    if (serving !== null && journal.environment(id).deployment === null)
      await this.#restore(target, serving, observation)
    await this.#stage.whileQuiet(id, () => this.#retire(target, id))
  }

  async #restore(target: Target, serving: Generation, observation: Observation): Promise<void> {
    const healthy = healthyCounts(observation)
    const isWhole = (group: GroupSpec): boolean => (healthy.get(group.id) ?? 0) >= group.replicas
    for (const group of serving.groups.filter(isWhole)) this.#backoff.settle(group.id)
    const results = await Promise.allSettled(
      serving.groups
        .filter((group) => !isWhole(group))
        .map((group) => this.#heal(target, group, observation)),
    )
    for (const result of results)
      if (result.status === 'rejected')
        this.#ports.log(`${serving.environment}: healing failed`, { error: errorFacts(result.reason) })
    if (!sameRoutes(observation, serving)) await target.route(serving.routes, this.#op)
  }

  async #heal(target: Target, group: GroupSpec, observation: Observation): Promise<void> {
    if (!this.#backoff.tryNow(group.id)) return
    const instances = observation.groups.find(({ id }) => id === group.id)?.instances ?? []
    const problems = instances.flatMap(({ id, problem }) => (problem === null ? [] : [`${id}: ${problem}`]))
    await target.start(group, this.#op)
    await this.#record(group.environment, { type: 'group-healed', data: { group: group.id, problems } })
  }

  /** Stops what neither the serving nor a still warm generation has. */
  async #retire(target: Target, id: EnvironmentId): Promise<void> {
    const { journal, now } = this.#ports
    const state = journal.environment(id)
    const isWarm = state.warm !== null && now() < state.warm.until
    const { strangers, surplus } = superfluous(state, isWarm, await target.observe(id, this.#op))
    await Promise.all([
      ...strangers.map((group) => target.stop(group, this.#op)),
      ...surplus.map((group) => target.stop(group.id, this.#op, group.replicas)),
    ])
    if (state.warm === null || isWarm) return
    const { generation } = state.warm
    await this.#record(id, { type: 'generation-retired', data: { generation, groups: strangers } })
  }

  async #record(id: EnvironmentId, event: EnvironmentEvent): Promise<void> {
    await this.#ports.journal.changeEnvironment(id, ({ deployment }) => (deployment === null ? [event] : []))
  }
}

/** What runs without belonging to the serving generation, or to the warm one while it is. */
function superfluous(
  state: EnvironmentState,
  isWarm: boolean,
  observation: Observation,
): { readonly strangers: readonly GroupId[]; readonly surplus: readonly GroupSpec[] } {
  const serving = servingGeneration(state)?.groups ?? []
  const warm = isWarm ? (warmGeneration(state)?.groups ?? []) : []
  const kept = new Set([...serving, ...warm].map(({ id }) => id))
  const counts = new Map(observation.groups.map(({ id, instances }) => [id, instances.length]))
  return {
    strangers: [...counts.keys()].filter((id) => !kept.has(id)),
    surplus: isWarm ? [] : serving.filter(({ id, replicas }) => (counts.get(id) ?? 0) > replicas),
  }
}
