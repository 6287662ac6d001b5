import type { ProgressEvent } from '../../core/op.ts'

/** Shows what happens while a command waits. */
export interface ProgressView {
  show(event: ProgressEvent): void
  /** Leaves no trace of what was live; call it before anything else is written. */
  stop(): void
}
