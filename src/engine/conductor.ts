import type { Deployment } from '../core/deployment.ts'
import type { ErrorFacts } from '../core/error-facts.ts'
import type { DeploymentPhase } from '../core/events.ts'
import type { EnvironmentId } from '../core/ids.ts'
import { type Action, type Age, decide } from '../core/rollout.ts'
import type { Target } from '../targets/target.ts'
import { backoffMs } from '../util/backoff.ts'
import { createWake } from '../util/wake.ts'
import { errorFacts } from './error-facts.ts'
import type { Journal } from './journal.ts'
import { withLastLines } from './last-lines.ts'
import { requestsSince } from './request-count.ts'
import { StepRunner } from './step-runner.ts'
import { Stopwatch } from './stopwatch.ts'

export interface ConductorPorts {
  readonly journal: Journal
  readonly target: Target
  readonly environment: EnvironmentId
  readonly now: () => number
  readonly log: (message: string, details?: Readonly<Record<string, unknown>>) => void
  /** The server stops. */
  readonly signal: AbortSignal
}

const pollMs = 250
const longestRetryMs = 10_000
/** Tries of a step that fails on the way back or while sweeping; then the reconcile loop is left to clean up. */
const patience = 4

/**
 * Drives the environment's running deployment to its end: observe, decide, record the intent, act, record the
 * outcome. Holds nothing that the next server could not fold from the ledger and see on the target.
 */
export class Conductor {
  readonly #ports: ConductorPorts
  readonly #wake = createWake()
  readonly #steps: StepRunner
  readonly #deploymentWatch: Stopwatch
  readonly #phaseWatch: Stopwatch
  #failedTries = 0
  #failedLooks = 0

  constructor(ports: ConductorPorts) {
    this.#ports = ports
    const clocks = { now: ports.now, steady: () => performance.now() }
    this.#deploymentWatch = new Stopwatch(clocks)
    this.#phaseWatch = new Stopwatch(clocks)
    this.#steps = new StepRunner({ ...ports, onStarted: () => this.nudge() })
  }

  /** Something happened: look again now. */
  nudge(): void {
    this.#wake.nudge()
  }

  /** Resolves when the deployment ended, or when the signal stopped the server in the middle of it. */
  async run(): Promise<void> {
    const { signal, log, environment } = this.#ports
    for (
      let deployment = this.#current();
      deployment !== null && !signal.aborted;
      deployment = this.#current()
    ) {
      try {
        await this.#advance(deployment)
        this.#failedLooks = 0
      } catch (error) {
        if (signal.aborted) break
        log(`${environment}: cannot go on with its deployment, trying again`, { error: errorFacts(error) })
        await this.#wake.sleep(backoffMs(++this.#failedLooks, longestRetryMs), signal)
      }
    }
    await this.#steps.settle()
  }

  #current(): Deployment | null {
    return this.#ports.journal.environment(this.#ports.environment).deployment
  }

  async #advance(looking: Deployment): Promise<void> {
    const { target, environment, signal } = this.#ports
    const observation = await target.observe(environment, { signal })
    // A stopping server ends its starts: that is no failure of theirs, and the next server goes on with them.
    if (signal.aborted) return
    // Asked after the look: a start that failed during it is no longer under way, and would be begun again.
    const failure = this.#steps.takeFailure()
    if (failure !== null) return this.#afterFailure(looking, failure)
    // To enter a phase changes nothing that can be seen, so one look serves until there is something to do.
    for (let deployment = this.#current(); deployment !== null; deployment = this.#current()) {
      const action = decide(deployment, observation, this.#age(deployment), this.#steps.busy)
      if (action.kind === 'fail')
        return this.#turnBack(await withLastLines(action.error, observation, target, { signal }))
      await this.#act(action, deployment)
      if (action.kind !== 'enter') return
    }
  }

  async #act(action: Exclude<Action, { kind: 'fail' }>, deployment: Deployment): Promise<void> {
    switch (action.kind) {
      case 'prepare':
        return (await this.#steps.prepare(action.groups, action.table)) ? this.#enter('starting') : undefined
      case 'enter':
        return this.#enter(action.phase)
      case 'start':
        return this.#steps.start(action.groups)
      case 'stop':
        return this.#steps.stop(action.groups)
      case 'route':
        return this.#steps.route(action.table)
      case 'wait':
        return this.#wait(action.forMs)
      case 'end':
        return this.#end(action.outcome, deployment.failure)
    }
  }

  #enter(phase: DeploymentPhase): Promise<void> {
    return this.#steps.record((deployment) => [
      { type: 'deployment-phase-entered', data: { deployment, phase } },
    ])
  }

  #age({ startedAt, phaseSince }: Deployment): Age {
    return {
      deploymentMs: this.#deploymentWatch.elapsedMs(startedAt),
      phaseMs: this.#phaseWatch.elapsedMs(phaseSince),
    }
  }

  #wait(forMs: number | null): Promise<void> {
    return this.#wake.sleep(Math.min(pollMs, Math.max(1, forMs ?? pollMs)), this.#ports.signal)
  }

  async #turnBack(error: ErrorFacts): Promise<void> {
    await this.#steps.abandonStarts()
    await this.#steps.record((deployment) => [
      { type: 'deployment-turned-back', data: { deployment, error } },
    ])
  }

  /** Forward: turn back. Backward, or at the last sweeping: try again, then end with the truth. */
  async #afterFailure(deployment: Deployment, error: ErrorFacts): Promise<void> {
    const { log, environment, signal } = this.#ports
    const { phase } = deployment
    if (phase !== 'reverting' && phase !== 'retiring') return this.#turnBack(error)
    this.#failedTries += 1
    log(`${environment}: a step failed while ${phase}`, { error, tries: this.#failedTries })
    if (this.#failedTries < patience) return this.#wake.sleep(pollMs * 2 ** this.#failedTries, signal)
    await this.#steps.settle()
    if (phase === 'retiring') return this.#end('succeeded', null)
    const message = `${deployment.failure?.message ?? 'it failed'}; going back failed too: ${error.message}`
    return this.#end('failed', { ...error, message })
  }

  async #end(outcome: 'succeeded' | 'failed' | 'aborted', error: ErrorFacts | null): Promise<void> {
    const { target, environment, signal } = this.#ports
    const running = this.#current()
    if (running === null) return
    const requests = await requestsSince(target, environment, running.requests, { signal })
    const durationMs = Math.round(this.#age(running).deploymentMs)
    await this.#steps.record((deployment) => [
      { type: 'deployment-ended', data: { deployment, outcome, error, requests, durationMs } },
    ])
  }
}
