import type { EnvironmentId } from '../core/ids.ts'
import type { LedgerEvent } from '../store/store.ts'
import type { EnginePorts } from './ports.ts'
import { EnvironmentReconciler } from './reconcile-environment.ts'
import type { RunningStage } from './stage.ts'

const streamPrefix = 'environment/'

/** Keeps every environment what its generation says, each by a loop of its own: none waits for another. */
export class Reconciler {
  readonly #ports: EnginePorts
  readonly #stage: RunningStage
  readonly #closing = new AbortController()
  readonly #loops = new Map<EnvironmentId, EnvironmentReconciler>()
  readonly #unwatch: readonly ((() => void) | undefined)[]

  constructor(ports: EnginePorts, stage: RunningStage) {
    this.#ports = ports
    this.#stage = stage
    for (const environment of ports.journal.view.environments.keys()) this.#loop(environment)
    this.#unwatch = [
      ...[...ports.targets.values()].map((target) => target.onExit?.(() => this.#nudgeAll())),
      ports.journal.subscribe((event) => this.#seen(event)),
    ]
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const stop of this.#unwatch) stop?.()
    await Promise.all([...this.#loops.values()].map(({ done }) => done))
  }

  #loop(environment: EnvironmentId): EnvironmentReconciler {
    const found =
      this.#loops.get(environment) ??
      new EnvironmentReconciler(this.#ports, this.#stage, environment, this.#closing.signal)
    this.#loops.set(environment, found)
    return found
  }

  /** An exit tells the instance, not where it ran. */
  #nudgeAll(): void {
    for (const loop of this.#loops.values()) loop.nudge()
  }

  #seen({ stream, type }: LedgerEvent): void {
    if (!stream.startsWith(streamPrefix)) return
    const loop = this.#loop(stream.slice(streamPrefix.length) as EnvironmentId)
    if (type === 'deployment-ended') loop.nudge()
  }
}
