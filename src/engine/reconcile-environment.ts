import { healthyCounts } from '../core/changes.ts'
import { type EnvironmentState, servingGeneration, warmGeneration } from '../core/environment-state.ts'
import type { DeploymentPhase, EnvironmentEvent } from '../core/events.ts'
import type { GroupSpec } from '../core/generation.ts'
import type { EnvironmentId, GroupId } from '../core/ids.ts'
import type { Observation } from '../core/observation.ts'
import type { Op } from '../core/op.ts'
import { sameRoutes } from '../core/plan.ts'
import type { Target } from '../targets/target.ts'
import { backoffMs } from '../util/backoff.ts'
import { createWake } from '../util/wake.ts'
import { environmentTarget } from './environment-target.ts'
import { errorFacts } from './error-facts.ts'
import { HealBackoff } from './heal-backoff.ts'
import type { EnginePorts } from './ports.ts'
import type { RunningStage } from './stage.ts'

const intervalMs = 5000
const shortestSleepMs = 50
const longestRetryMs = 60_000

/**
 * Keeps one environment what its generation says: replaces instances that ended, puts its routes back, stops
 * what belongs to nothing or is no longer warm. Looks every five seconds, whenever an instance ends, and after a
 * deployment. While one runs it only heals what still serves.
 */
export class EnvironmentReconciler {
  /** Resolves when the signal has stopped it. */
  readonly done: Promise<void>
  readonly #ports: EnginePorts
  readonly #stage: RunningStage
  readonly #environment: EnvironmentId
  readonly #op: Op
  readonly #wake = createWake()
  readonly #backoff = new HealBackoff(() => performance.now())
  readonly #healing = new Map<GroupId, Promise<void>>()
  #failures = 0

  constructor(ports: EnginePorts, stage: RunningStage, environment: EnvironmentId, signal: AbortSignal) {
    this.#ports = ports
    this.#stage = stage
    this.#environment = environment
    this.#op = { signal }
    this.done = this.#run()
  }

  /** Something happened: look again now. */
  nudge(): void {
    this.#wake.nudge()
  }

  async #run(): Promise<void> {
    const { signal } = this.#op
    while (!signal.aborted) {
      try {
        await this.#look()
        this.#failures = 0
      } catch (error) {
        this.#failures += 1
        this.#report('reconciling failed', error)
      }
      await this.#wake.sleep(this.#sleepMs(), signal)
    }
    await Promise.all(this.#healing.values())
  }

  #sleepMs(): number {
    if (this.#failures > 0) return backoffMs(this.#failures, longestRetryMs)
    const { warm, deployment } = this.#state()
    const warmMs = warm === null || deployment !== null ? 0 : warm.until - this.#ports.now()
    const untilRetired = warmMs > 0 ? warmMs : Number.POSITIVE_INFINITY
    return Math.max(shortestSleepMs, Math.min(intervalMs, this.#backoff.nextMs(), untilRetired))
  }

  async #look(): Promise<void> {
    const state = this.#state()
    const name = servingGeneration(state)?.binding.target ?? state.target
    if (name === null) return
    const target = environmentTarget(this.#ports, this.#environment, name, null, 'overlook')
    this.#heal(target, await target.observe(this.#environment, this.#op))
    await this.#stage.whileQuiet(this.#environment, () => this.#tidy(target))
  }

  /**
   * Begins what is to be healed and waits for none of it: a service that never turns healthy must not hold up the
   * rest. What is healed is decided in the same turn in which it begins, so that a stop that a deployment
   * records later comes to the target later, and ends it.
   */
  #heal(target: Target, observation: Observation): void {
    const healthy = healthyCounts(observation)
    for (const group of healable(this.#state())) {
      if ((healthy.get(group.id) ?? 0) >= group.replicas) this.#backoff.settle(group.id)
      else if (!this.#healing.has(group.id) && this.#backoff.tryNow(group.id)) {
        const healed = this.#healOne(target, group, observation).finally(() => {
          this.#healing.delete(group.id)
          this.nudge()
        })
        this.#healing.set(group.id, healed)
      }
    }
  }

  async #healOne(target: Target, group: GroupSpec, observation: Observation): Promise<void> {
    const instances = observation.groups.find(({ id }) => id === group.id)?.instances ?? []
    const problems = instances.flatMap(({ id, problem }) => (problem === null ? [] : [`${id}: ${problem}`]))
    try {
      await target.start(group, this.#op)
      await this.#record({ type: 'group-healed', data: { group: group.id, problems } })
    } catch (error) {
      this.#report('healing failed', error)
    }
  }

  /** Runs while no deployment does, with what is true then: routes first, then what nobody has a use for. */
  async #tidy(target: Target): Promise<void> {
    const state = this.#state()
    const serving = servingGeneration(state)
    const observation = await target.observe(this.#environment, this.#op)
    if (serving !== null && !sameRoutes(observation, serving)) await target.route(serving.routes, this.#op)
    const isWarm = state.warm !== null && this.#ports.now() < state.warm.until
    const { strangers, surplus } = superfluous(state, isWarm, observation)
    await Promise.all([
      ...strangers.map((group) => target.stop(group, this.#op)),
      ...surplus.map((group) => target.stop(group.id, this.#op, group.replicas)),
    ])
    if (state.warm === null || isWarm) return
    const { generation } = state.warm
    await this.#record({ type: 'generation-retired', data: { generation, groups: strangers } })
  }

  #state(): EnvironmentState {
    return this.#ports.journal.environment(this.#environment)
  }

  async #record(event: EnvironmentEvent): Promise<void> {
    await this.#ports.journal.changeEnvironment(this.#environment, () => [event])
  }

  #report(what: string, error: unknown): void {
    if (!this.#op.signal.aborted)
      this.#ports.log(`${this.#environment}: ${what}`, { error: errorFacts(error) })
  }
}

const beforeSwitch: ReadonlySet<DeploymentPhase> = new Set(['preparing', 'starting', 'verifying'])

/** What answers requests now: until a deployment switches, all that it has not stopped itself. */
function healable(state: EnvironmentState): readonly GroupSpec[] {
  const groups = servingGeneration(state)?.groups ?? []
  const { deployment } = state
  if (deployment === null) return groups
  const stopped = new Set(deployment.stopped)
  return beforeSwitch.has(deployment.phase) ? groups.filter(({ id }) => !stopped.has(id)) : []
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
