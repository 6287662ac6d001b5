import type { ErrorFacts } from '../core/error-facts.ts'
import type { EnvironmentEvent } from '../core/events.ts'
import type { GroupSpec } from '../core/generation.ts'
import type { DeploymentId, EnvironmentId, GroupId } from '../core/ids.ts'
import type { Step } from '../core/plan.ts'
import type { StopOrder } from '../core/rollout.ts'
import type { RouteTable } from '../core/route-table.ts'
import type { Target } from '../targets/target.ts'
import { errorFacts } from './error-facts.ts'
import type { Journal } from './journal.ts'

export interface StepRunnerPorts {
  readonly journal: Journal
  readonly target: Target
  readonly environment: EnvironmentId
  /** The server stops: what is under way is left to the next one, and nothing more is recorded about it. */
  readonly signal: AbortSignal
  /** A start ended, well or not. */
  readonly onStarted: () => void
}

/** Takes steps: records the intent, acts, records the outcome. Failures are kept until they are taken. */
export class StepRunner {
  readonly #ports: StepRunnerPorts
  readonly #starting = new Map<GroupId, Promise<void>>()
  #abandon = new AbortController()
  #failure: ErrorFacts | null = null

  constructor(ports: StepRunnerPorts) {
    this.#ports = ports
  }

  /** Groups whose start is under way. */
  get busy(): ReadonlySet<GroupId> {
    return new Set(this.#starting.keys())
  }

  /** The first failure since the last call. */
  takeFailure(): ErrorFacts | null {
    const failure = this.#failure
    this.#failure = null
    return failure
  }

  /** Appends to the environment's stream, as long as its deployment has not ended. */
  async record(make: (deployment: DeploymentId) => readonly EnvironmentEvent[]): Promise<void> {
    const { journal, environment } = this.#ports
    await journal.changeEnvironment(environment, ({ deployment }) =>
      deployment === null ? [] : make(deployment.deployment),
    )
  }

  /** Not a step: it may be done again and again without anybody noticing. Says whether it succeeded. */
  async prepare(groups: readonly GroupSpec[], table: RouteTable): Promise<boolean> {
    const { target, signal } = this.#ports
    const prepared = Promise.all([target.open?.(table, { signal }), target.prepare(groups, { signal })])
    this.#failure = await prepared.then(() => null, errorFacts)
    return this.#failure === null
  }

  /** Resolves when the starts are under way; `onStarted` tells of each one's end. */
  async start(groups: readonly GroupSpec[]): Promise<void> {
    const { target, signal, onStarted } = this.#ports
    const steps = groups.map((group) => ({ group, step: startStep(group) }))
    await this.#intend(steps.map(({ step }) => step))
    const op = { signal: AbortSignal.any([signal, this.#abandon.signal]) }
    for (const { group, step } of steps) {
      const started = this.#perform(step, () => target.start(group, op)).then((error) => {
        this.#starting.delete(group.id)
        this.#failure ??= error
        onStarted()
      })
      this.#starting.set(group.id, started)
    }
  }

  async stop(orders: readonly StopOrder[]): Promise<void> {
    const steps = orders.map((order) => ({ order, step: stopStep(order) }))
    await this.#intend(steps.map(({ step }) => step))
    const errors = await Promise.all(
      steps.map(({ order, step }) => this.#perform(step, () => this.#stopOne(order))),
    )
    this.#failure ??= errors.find((error) => error !== null) ?? null
  }

  async route(table: RouteTable): Promise<void> {
    const { target, signal } = this.#ports
    const step: Step = { kind: 'route', generation: table.generation, routes: table.entries.length }
    await this.#intend([step])
    this.#failure ??= await this.#perform(step, () => target.route(table, { signal }))
  }

  /** Gives up all starts that are under way; resolves when none is, and forgets that they failed. */
  async abandonStarts(): Promise<void> {
    this.#abandon.abort()
    await this.settle()
    this.#abandon = new AbortController()
    this.#failure = null
  }

  async settle(): Promise<void> {
    await Promise.all(this.#starting.values())
  }

  async #stopOne({ group, keep, successor }: StopOrder): Promise<void> {
    const { target, signal } = this.#ports
    if (successor !== undefined) await target.handOver?.(group, successor, { signal })
    await target.stop(group, { signal }, keep)
  }

  #intend(steps: readonly Step[]): Promise<void> {
    return this.record((deployment) =>
      steps.map((step) => ({ type: 'step-intended', data: { deployment, step } })),
    )
  }

  /** Never rejects: what cannot be recorded has failed too. */
  async #perform(step: Step, act: () => Promise<void>): Promise<ErrorFacts | null> {
    const since = performance.now()
    const error = await act().then(() => null, errorFacts)
    const durationMs = Math.round((performance.now() - since) * 1000) / 1000
    if (this.#ports.signal.aborted) return error
    const recorded = this.record((deployment) => [
      error === null
        ? { type: 'step-completed', data: { deployment, step, durationMs } }
        : { type: 'step-failed', data: { deployment, step, durationMs, error } },
    ])
    return recorded.then(
      () => error,
      (problem: unknown) => error ?? errorFacts(problem),
    )
  }
}

const startStep = ({ id, service, replicas }: GroupSpec): Step => ({
  kind: 'start',
  service,
  group: id,
  replicas,
})
const stopStep = ({ group, service, keep }: StopOrder): Step => ({ kind: 'stop', service, group, keep })
