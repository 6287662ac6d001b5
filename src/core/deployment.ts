import type { ErrorFacts } from './error-facts.ts'
import type { DeploymentPhase, DeploymentStarted } from './events.ts'
import type { Generation } from './generation.ts'
import type { GroupId } from './ids.ts'

/** A deployment that has not ended, folded from its events. */
export interface Deployment extends DeploymentStarted {
  readonly startedAt: number
  /** What served when it began; null when nothing did. */
  readonly fromGeneration: Generation | null
  readonly phase: DeploymentPhase
  /** Milliseconds since the epoch. */
  readonly phaseSince: number
  readonly abortRequested: boolean
  /** Why it turns back; null while it goes forward. */
  readonly failure: ErrorFacts | null
  readonly started: readonly GroupId[]
  readonly stopped: readonly GroupId[]
  readonly switchMs: number | null
}
