import { environmentNameOf } from '../../core/ids.ts'
import type { DeploymentResult } from '../../engine/engine.ts'
import { formatDuration } from '../duration.ts'
import { formatCount } from './names.ts'
import type { Paint } from './paint.ts'

/** A deployment's result as the CLI prints it: one that had nothing to do has no id. */
export type PrintedDeployment = Omit<DeploymentResult, 'deployment'> & {
  readonly deployment: DeploymentResult['deployment'] | null
}

/** The outcome in one line: "shop@2 serves staging: 1 started, 2 kept, switched in 3 ms, …". */
export function renderDeployment(result: PrintedDeployment, paint: Paint): string {
  const place = environmentNameOf(result.environment)
  const release = result.release?.name ?? 'nothing'
  const previous = result.previous?.name ?? null
  switch (result.outcome) {
    case 'succeeded':
      return result.kind === 'down'
        ? `${paint('green', `${place} is down`)}: ${figures(result)}`
        : `${paint('green', `${release} serves ${place}`)}: ${figures(result)}`
    case 'unchanged':
      return `${paint('green', `${release} already serves ${place}`)}: nothing to do, ${formatDuration(result.durationMs)}`
    case 'failed':
    case 'aborted': {
      const serving =
        previous === null ? `${place} serves nothing, as before` : `${previous} still serves ${place}`
      const what = {
        deploy: `deploying ${release}`,
        rollback: `rolling back to ${release}`,
        down: `taking ${place} down`,
      }[result.kind]
      return `${paint('red', `${what} ${result.outcome === 'failed' ? 'failed' : 'was aborted'}`)}; ${serving} (${figures(result)})`
    }
  }
}

function figures(result: PrintedDeployment): string {
  const { started, kept, stopped } = result.groups
  const groups = [
    ...(started.length > 0 ? [`${started.length} started`] : []),
    ...(kept.length > 0 ? [`${kept.length} kept`] : []),
    ...(stopped.length > 0 ? [`${stopped.length} stopped`] : []),
  ]
  const { total, failed } = result.requests
  return [
    ...groups,
    ...(result.switchMs === null ? [] : [`switched in ${formatDuration(result.switchMs)}`]),
    ...(total === 0 ? [] : [`${formatCount(failed)} of ${formatCount(total)} requests failed`]),
    formatDuration(result.durationMs),
  ].join(', ')
}
