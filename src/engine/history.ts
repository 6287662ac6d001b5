import type { Attempt } from '../core/attempt.ts'
import { servingGeneration } from '../core/environment-state.ts'
import { systemOf } from '../core/ids.ts'
import type { DeploymentResult, HistoryRequest, HistoryResult, ReleaseList } from './engine.ts'
import { knownEnvironments } from './find-environment.ts'
import type { EnginePorts } from './ports.ts'

/** Every attempt, newest first: who, when, from, to, outcome. */
export function history({ journal }: EnginePorts, request: HistoryRequest): HistoryResult {
  const { system, environment, limit } = request
  const ids = new Set(knownEnvironments(journal.view.environments.keys(), system, environment))
  const attempts = [...journal.view.attempts.values()]
    .filter((attempt) => ids.has(attempt.environment))
    .slice(-limit)
    .toReversed()
  return { schema: 'basalt.history/v1', attempts: attempts.map(historyRow) }
}

const historyRow = (attempt: Attempt): HistoryResult['attempts'][number] => ({
  deployment: attempt.deployment,
  environment: attempt.environment,
  kind: attempt.kind,
  actor: attempt.actor,
  reason: attempt.reason,
  at: attempt.at,
  from: attempt.from?.name ?? null,
  to: attempt.toText,
  outcome: attempt.outcome,
  durationMs: attempt.durationMs,
  error: attempt.error,
})

/** What a deployment came to; only for one that ended. */
export function deploymentResult(attempt: Attempt): DeploymentResult {
  const { outcome } = attempt
  const brief = (release: Attempt['from']) =>
    release === null ? null : { name: release.name, digest: release.digest }
  return {
    schema: 'basalt.deployment/v1',
    deployment: attempt.deployment,
    kind: attempt.kind,
    environment: attempt.environment,
    release: brief(attempt.to),
    previous: brief(attempt.from),
    generation: attempt.generation ?? 0,
    outcome: outcome === 'succeeded' || outcome === 'aborted' ? outcome : 'failed',
    groups: { started: attempt.started, kept: attempt.kept, stopped: attempt.stopped },
    requests: attempt.requests,
    durationMs: attempt.durationMs ?? 0,
    switchMs: attempt.switchMs,
    error: attempt.error,
  }
}

/** Newest first. */
export function releases({ journal }: EnginePorts, system: string | null): ReleaseList {
  const serving = [...journal.view.environments].flatMap(([id, state]) => {
    const generation = servingGeneration(state)
    return generation === null ? [] : [{ id, digest: generation.release.digest }]
  })
  const rows = [...journal.view.systems]
    .filter(([name]) => system === null || name === system)
    .flatMap(([name, state]) =>
      state.releases.map(({ release, at, actor, revision, dirty }) => ({
        release,
        at,
        actor,
        revision,
        dirty,
        environments: serving
          .filter(({ id, digest }) => systemOf(id) === name && digest === release.digest)
          .map(({ id }) => id),
      })),
    )
  return { schema: 'basalt.releases/v1', releases: rows.toSorted((a, b) => b.at - a.at) }
}
