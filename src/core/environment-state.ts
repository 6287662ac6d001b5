import type { Deployment } from './deployment.ts'
import type { DeploymentEnded, DeploymentStarted, EnvironmentEvent, StepCompleted } from './events.ts'
import type { Generation } from './generation.ts'
import type { Step } from './plan.ts'
import { type ServedGeneration, servedAfter, servedNumber } from './served-generation.ts'

/** One environment, folded from its stream. */
export interface EnvironmentState {
  /** Of the last event; the expected version of the next append. */
  readonly version: number
  /** The newest good generation, and through it all others; null: none has ever served. */
  readonly newest: ServedGeneration | null
  /** The target of the last deployment that began, whatever became of it; null before the first. */
  readonly target: string | null
  /** The highest number ever given out, failed attempts included. */
  readonly lastNumber: number
  readonly serving: number | null
  /** Where a rollback goes: the good generation before the one that serves (or served last); null: none. */
  readonly previous: number | null
  readonly warm: { readonly generation: number; readonly until: number } | null
  readonly deployment: Deployment | null
}

export const newEnvironment: EnvironmentState = {
  version: 0,
  newest: null,
  target: null,
  lastNumber: 0,
  serving: null,
  previous: null,
  warm: null,
  deployment: null,
}

const goodGeneration = ({ newest }: EnvironmentState, number: number | null): Generation | null =>
  (number === null ? null : servedNumber(newest, number)?.generation) ?? null

export const servingGeneration = (state: EnvironmentState): Generation | null =>
  goodGeneration(state, state.serving)

export const warmGeneration = (state: EnvironmentState): Generation | null =>
  goodGeneration(state, state.warm?.generation ?? null)

/** Total over known events; an unknown type only moves the version, so that newer ledgers stay readable. */
export function applyEvent(state: EnvironmentState, event: EnvironmentEvent, at: number): EnvironmentState {
  const next = { ...state, version: state.version + 1 }
  switch (event.type) {
    case 'deployment-started':
      return {
        ...next,
        lastNumber: Math.max(state.lastNumber, event.data.to.number),
        target: event.data.to.binding.target,
        deployment: started(state, event.data, at),
      }
    case 'deployment-phase-entered':
      return withDeployment(next, () => ({ phase: event.data.phase, phaseSince: at }))
    case 'deployment-abort-requested':
      return withDeployment(next, () => ({ abortRequested: true }))
    case 'step-intended':
      return withDeployment(next, (deployment) => intended(deployment, event.data.step))
    case 'step-completed':
      return withDeployment(next, (deployment) => completed(deployment, event.data))
    case 'deployment-turned-back':
      return withDeployment(next, () => ({ phase: 'reverting', phaseSince: at, failure: event.data.error }))
    case 'deployment-ended':
      return ended(next, event.data, at)
    case 'generation-retired':
      return state.warm?.generation === event.data.generation ? { ...next, warm: null } : next
    default:
      return next
  }
}

function started(state: EnvironmentState, data: DeploymentStarted, at: number): Deployment {
  return {
    ...data,
    startedAt: at,
    fromGeneration: goodGeneration(state, data.from),
    phase: 'preparing',
    phaseSince: at,
    abortRequested: false,
    failure: null,
    started: [],
    stopped: [],
    switchMs: null,
  }
}

function withDeployment(
  state: EnvironmentState,
  change: (deployment: Deployment) => Partial<Deployment>,
): EnvironmentState {
  const { deployment } = state
  return deployment === null ? state : { ...state, deployment: { ...deployment, ...change(deployment) } }
}

const intended = (deployment: Deployment, step: Step): Partial<Deployment> =>
  step.kind === 'start' && deployment.phase !== 'reverting'
    ? { started: [...new Set([...deployment.started, step.group])] }
    : step.kind === 'stop' && step.keep === 0
      ? { stopped: [...new Set([...deployment.stopped, step.group])] }
      : {}

const completed = (deployment: Deployment, { step, durationMs }: StepCompleted): Partial<Deployment> =>
  step.kind === 'route' && deployment.phase === 'switching' ? { switchMs: durationMs } : {}

function ended(state: EnvironmentState, { outcome }: DeploymentEnded, at: number): EnvironmentState {
  const { deployment } = state
  if (deployment === null) return state
  if (outcome !== 'succeeded') return { ...state, deployment: null, warm: stillWarm(state, deployment) }
  const { to, parent, from, kind } = deployment
  const keepsWarm = kind !== 'down' && from !== null && to.binding.warmMs > 0
  return {
    ...state,
    newest: servedAfter(state.newest, to, parent),
    serving: kind === 'down' ? null : to.number,
    previous: kind === 'down' ? from : parent,
    warm: keepsWarm ? { generation: from, until: at + to.binding.warmMs } : null,
    deployment: null,
  }
}

/** A generation of which something had to be stopped is not one switch away any more. */
function stillWarm(state: EnvironmentState, { stopped }: Deployment): EnvironmentState['warm'] {
  const gone = new Set(stopped)
  return warmGeneration(state)?.groups.some(({ id }) => gone.has(id)) ? null : state.warm
}
