import { type Attempt, endedAttempt, refusedAttempt, runningAttempt } from '../core/attempt.ts'
import {
  applyEvent,
  type EnvironmentState,
  newEnvironment,
  servingGeneration,
} from '../core/environment-state.ts'
import type { EnvironmentEvent, ReleaseFrozen, SystemEvent } from '../core/events.ts'
import type { DeploymentId, EnvironmentId } from '../core/ids.ts'
import type { LedgerEvent } from '../store/store.ts'

export interface FrozenRelease extends ReleaseFrozen {
  readonly at: number
}

export interface SystemState {
  readonly version: number
  /** In the order of their versions. */
  readonly releases: readonly FrozenRelease[]
}

export const newSystem: SystemState = { version: 0, releases: [] }

/** Everything that the engine knows, folded from the ledger. May be thrown away and folded again at any time. */
export interface LedgerView {
  readonly environments: ReadonlyMap<EnvironmentId, EnvironmentState>
  readonly systems: ReadonlyMap<string, SystemState>
  /** In the order in which they began. */
  readonly attempts: ReadonlyMap<DeploymentId, Attempt>
  apply(event: LedgerEvent): void
}

export function createLedgerView(): LedgerView {
  const environments = new Map<EnvironmentId, EnvironmentState>()
  const systems = new Map<string, SystemState>()
  const attempts = new Map<DeploymentId, Attempt>()

  function applyToEnvironment(
    id: EnvironmentId,
    event: EnvironmentEvent,
    at: number,
    position: number,
  ): void {
    const before = environments.get(id) ?? newEnvironment
    const after = applyEvent(before, event, at)
    environments.set(id, after)
    if (event.type === 'deployment-refused') {
      const served = servingGeneration(after)?.release ?? null
      attempts.set(event.data.deployment, refusedAttempt(id, event.data, served, at, position))
    }
    const running = after.deployment ?? before.deployment
    if (running === null) return
    const first = attempts.get(running.deployment)?.position ?? position
    attempts.set(
      running.deployment,
      event.type === 'deployment-ended'
        ? endedAttempt(running, event.data, first)
        : runningAttempt(running, first),
    )
  }

  function applyToSystem(name: string, event: SystemEvent, at: number): void {
    const { version, releases } = systems.get(name) ?? newSystem
    systems.set(name, { version: version + 1, releases: [...releases, { ...event.data, at }] })
  }

  return {
    environments,
    systems,
    attempts,
    apply({ stream, type, data, at, position }) {
      const name = stream.slice(stream.indexOf('/') + 1)
      // Events were validated by the same code that wrote them, and their bytes are covered by the Merkle tree.
      if (stream.startsWith('system/')) applyToSystem(name, { type, data } as SystemEvent, at)
      else applyToEnvironment(name as EnvironmentId, { type, data } as EnvironmentEvent, at, position)
    },
  }
}
