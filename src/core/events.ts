import type { ErrorFacts } from './error-facts.ts'
import type { Generation } from './generation.ts'
import type { DeploymentId, Digest, EnvironmentId, GroupId } from './ids.ts'
import type { Step } from './plan.ts'
import type { ReleaseName } from './release.ts'

/*
 * Every event of the ledger. They are facts in the past tense, never edited; the state of everything is a fold
 * over them. Old ones must stay readable for ever: add optional members, never change one.
 */

/** Stream `system/<name>`. */
export type SystemEvent = Tagged<'release-frozen', ReleaseFrozen>

export interface ReleaseFrozen {
  readonly release: ReleaseName
  /** The OCI index from which the release and all its images can be reached. */
  readonly artifact: Digest
  readonly revision: string | null
  readonly dirty: boolean
  readonly actor: string
  /** `built` here, or `imported` from an archive. */
  readonly origin: 'built' | 'imported'
}

/** Stream `environment/<system>/<environment>`. */
export type EnvironmentEvent =
  | Tagged<'deployment-started', DeploymentStarted>
  | Tagged<'deployment-refused', DeploymentRefused>
  | Tagged<'deployment-phase-entered', { readonly deployment: DeploymentId; readonly phase: DeploymentPhase }>
  | Tagged<'deployment-abort-requested', { readonly deployment: DeploymentId; readonly actor: string }>
  | Tagged<'step-intended', { readonly deployment: DeploymentId | null; readonly step: Step }>
  | Tagged<'step-completed', StepCompleted>
  | Tagged<'step-failed', StepFailed>
  /** It goes back to what served before; nothing of the new generation will be left. */
  | Tagged<'deployment-turned-back', { readonly deployment: DeploymentId; readonly error: ErrorFacts }>
  | Tagged<'deployment-ended', DeploymentEnded>
  /** After the warm time: the generation's own groups were stopped. */
  | Tagged<'generation-retired', { readonly generation: number; readonly groups: readonly GroupId[] }>
  /** Instances that ended by themselves were replaced. */
  | Tagged<'group-healed', { readonly group: GroupId; readonly problems: readonly string[] }>

interface Tagged<Type extends string, Data> {
  readonly type: Type
  readonly data: Data
}

export type DeploymentPhase =
  | 'preparing'
  | 'starting'
  | 'verifying'
  | 'switching'
  | 'watching'
  | 'draining'
  | 'retiring'
  | 'reverting'

export interface DeploymentStarted {
  readonly deployment: DeploymentId
  readonly kind: 'deploy' | 'rollback' | 'down'
  readonly environment: EnvironmentId
  readonly actor: string
  readonly reason: string | null
  /** The generation that serves; null when none does. */
  readonly from: number | null
  /** The whole generation: what is running can always be told from the ledger alone. */
  readonly to: Generation
  /** The generation that a later rollback goes to; null when there is none. */
  readonly parent: number | null
  readonly timeoutMs: number | null
  /** The router's counters at the start. */
  readonly requests: RequestCount
}

export interface DeploymentRefused {
  readonly deployment: DeploymentId
  readonly kind: 'deploy' | 'rollback' | 'down'
  readonly actor: string
  readonly reason: string | null
  readonly to: string | null
  readonly error: ErrorFacts
}

export interface StepCompleted {
  readonly deployment: DeploymentId | null
  readonly step: Step
  readonly durationMs: number
}

export interface StepFailed extends StepCompleted {
  readonly error: ErrorFacts
}

export interface DeploymentEnded {
  readonly deployment: DeploymentId
  readonly outcome: 'succeeded' | 'failed' | 'aborted'
  readonly error: ErrorFacts | null
  readonly requests: RequestCount
  readonly durationMs: number
}

export interface RequestCount {
  readonly total: number
  readonly failed: number
}
