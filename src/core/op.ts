/** What every call to the outside carries: how to abort it, and until when it may take. */
export interface Op {
  readonly signal: AbortSignal
  /** Milliseconds since the epoch after which the caller no longer waits; undefined: no limit. */
  readonly deadline?: number
  /** Told of what happens on the way. Never throws; may be absent. */
  readonly notify?: (event: ProgressEvent) => void
}

/** Progress for people and for JSON consumers: coded, never parsed back. */
export interface ProgressEvent {
  /** `build.layer`, `group.starting`, …; the registry is src/engine/progress.ts */
  readonly code: string
  readonly message: string
  readonly data?: Readonly<Record<string, unknown>>
}
