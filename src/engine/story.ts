import type { DeploymentPhase, EnvironmentEvent } from '../core/events.ts'
import type { DeploymentId } from '../core/ids.ts'
import type { Step } from '../core/plan.ts'
import type { LedgerEvent } from '../store/store.ts'
import type { DeploymentEvent } from './engine.ts'

/** The ledger's events of one deployment, in words for whoever follows it; null for what is not part of it. */
export function toldEvent(ledgerEvent: LedgerEvent, deployment: DeploymentId): DeploymentEvent | null {
  const event = { type: ledgerEvent.type, data: ledgerEvent.data } as EnvironmentEvent
  if (!('deployment' in event.data) || event.data.deployment !== deployment) return null
  const tell = (code: string, message: string, data: DeploymentEvent['data'] = {}): DeploymentEvent => ({
    at: ledgerEvent.at,
    code,
    message,
    data,
  })
  switch (event.type) {
    case 'deployment-started': {
      const { kind, environment, to, actor } = event.data
      const goal =
        kind === 'down' ? `takes ${environment} down` : `moves ${environment} to ${to.release.name}`
      return tell('deployment.started', `${actor} ${goal} (generation ${to.number})`, { environment, kind })
    }
    case 'deployment-phase-entered':
      return tell('deployment.phase', phaseWords[event.data.phase], { phase: event.data.phase })
    case 'deployment-abort-requested':
      return tell('deployment.abort-requested', `${event.data.actor} asked to abort`)
    case 'deployment-turned-back':
      return tell('deployment.turned-back', `turning back: ${event.data.error.message}`, {
        error: event.data.error,
      })
    case 'step-intended':
      return tell(`${subject(event.data.step)}.${doing[event.data.step.kind]}`, stepWords(event.data.step), {
        step: event.data.step,
      })
    case 'step-completed': {
      const { step, durationMs } = event.data
      const text = `${doneWords(step)} in ${durationMs < 10 ? durationMs.toFixed(1) : Math.round(durationMs)} ms`
      return tell(`${subject(step)}.${done[step.kind]}`, text, { step, durationMs })
    }
    case 'step-failed': {
      const { step, error } = event.data
      return tell(`${subject(step)}.failed`, error.message, { step, error })
    }
    case 'deployment-ended':
      return tell('deployment.ended', `deployment ${event.data.outcome}`, { outcome: event.data.outcome })
    default:
      return null
  }
}

const phaseWords: Readonly<Record<DeploymentPhase, string>> = {
  preparing: 'bringing images where they run',
  starting: 'starting what is new',
  verifying: 'everything new is healthy',
  switching: 'switching traffic',
  watching: 'watching the new generation',
  draining: 'letting the old one finish',
  retiring: 'retiring what is no longer needed',
  reverting: 'going back to what served before',
}

const subject = (step: Step): string => (step.kind === 'route' ? 'route' : 'group')
const doing = { start: 'starting', route: 'switching', drain: 'draining', stop: 'stopping' } as const
const done = { start: 'healthy', route: 'switched', drain: 'drained', stop: 'stopped' } as const

function stepWords(step: Step): string {
  if (step.kind === 'route')
    return step.routes === 0
      ? 'taking all routes away'
      : `switching ${step.routes} ${step.routes === 1 ? 'route' : 'routes'}`
  const verb = { start: 'starting', drain: 'draining', stop: 'stopping' }[step.kind]
  return `${verb} ${step.service} (${step.group})`
}

function doneWords(step: Step): string {
  if (step.kind === 'route') return 'switched'
  const verb = { start: 'is healthy', drain: 'is drained', stop: 'is stopped' }[step.kind]
  return `${step.service} (${step.group}) ${verb}`
}
