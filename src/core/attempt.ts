import type { Deployment } from './deployment.ts'
import type { ErrorFacts } from './error-facts.ts'
import type { DeploymentEnded, DeploymentRefused, RequestCount } from './events.ts'
import type { DeploymentId, EnvironmentId, GroupId } from './ids.ts'
import type { ReleaseName } from './release.ts'

/** One attempt to change what an environment runs, as history tells it: refused and failed ones too. */
export interface Attempt {
  readonly deployment: DeploymentId
  readonly environment: EnvironmentId
  readonly kind: 'deploy' | 'rollback' | 'down'
  readonly actor: string
  readonly reason: string | null
  /** Milliseconds since the epoch. */
  readonly at: number
  /** What served when it began, or was refused; null: nothing. */
  readonly from: ReleaseName | null
  /** Null: nothing is to run, or the attempt was refused before it was known. */
  readonly to: ReleaseName | null
  readonly toText: string | null
  readonly generation: number | null
  readonly outcome: 'running' | 'succeeded' | 'failed' | 'aborted' | 'refused'
  readonly durationMs: number | null
  readonly error: ErrorFacts | null
  readonly started: readonly GroupId[]
  readonly kept: readonly GroupId[]
  readonly stopped: readonly GroupId[]
  readonly requests: RequestCount
  readonly switchMs: number | null
  /** Of its first event, for reading the whole story from the ledger. */
  readonly position: number
}

export function runningAttempt(deployment: Deployment, position: number): Attempt {
  const { to, kind, fromGeneration, started } = deployment
  const startedSet = new Set(started)
  return {
    deployment: deployment.deployment,
    environment: deployment.environment,
    kind,
    actor: deployment.actor,
    reason: deployment.reason,
    at: deployment.startedAt,
    from: fromGeneration?.release ?? null,
    to: kind === 'down' ? null : to.release,
    toText: kind === 'down' ? null : to.release.name,
    generation: to.number,
    outcome: 'running',
    durationMs: null,
    error: deployment.failure,
    started,
    kept: to.groups.map(({ id }) => id).filter((id) => !startedSet.has(id)),
    stopped: deployment.stopped,
    requests: { total: 0, failed: 0 },
    switchMs: deployment.switchMs,
    position,
  }
}

export function endedAttempt(deployment: Deployment, end: DeploymentEnded, position: number): Attempt {
  const attempt = runningAttempt(deployment, position)
  const served = new Set(deployment.fromGeneration?.groups.map(({ id }) => id))
  return {
    ...attempt,
    outcome: end.outcome,
    durationMs: end.durationMs,
    error: end.outcome === 'succeeded' ? null : end.error,
    // What had its turn after the failure was neither started nor there before.
    kept: end.outcome === 'succeeded' ? attempt.kept : attempt.kept.filter((id) => served.has(id)),
    requests: end.requests,
  }
}

export const refusedAttempt = (
  environment: EnvironmentId,
  refusal: DeploymentRefused,
  served: ReleaseName | null,
  at: number,
  position: number,
): Attempt => ({
  deployment: refusal.deployment,
  environment,
  kind: refusal.kind,
  actor: refusal.actor,
  reason: refusal.reason,
  at,
  from: served,
  to: null,
  toText: refusal.to,
  generation: null,
  outcome: 'refused',
  durationMs: 0,
  error: refusal.error,
  started: [],
  kept: [],
  stopped: [],
  requests: { total: 0, failed: 0 },
  switchMs: null,
  position,
})
