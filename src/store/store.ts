import type { Op } from '../core/op.ts'

/** `system/<name>` or `environment/<system>/<environment>`. */
export type StreamName = `system/${string}` | `environment/${string}`

/** 1 for the first event of the ledger; no gaps. 0 means "from the beginning". */
export type Position = number

/** An event as a writer hands it over: plain JSON, `type` in kebab-case past tense. */
export interface NewEvent {
  readonly type: string
  readonly data: unknown
}

export interface LedgerEvent extends NewEvent {
  readonly position: Position
  readonly stream: StreamName
  /** 1 for the first event of its stream; no gaps. */
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly at: number
  /** RFC 6962 leaf hash of the event's canonical JSON, 64 hex digits. */
  readonly leafHash: string
}

export interface Appended {
  /** Of the last event. */
  readonly position: Position
  readonly version: number
  /** As stored, so that a writer can fold them without reading them back. */
  readonly events: readonly LedgerEvent[]
}

/**
 * The ledger: append-only, durable before `append` resolves, Merkle-hashed. It is the state; everything else
 * is a fold over it.
 */
export interface Store {
  /**
   * All events or none. `expectedVersion` is the version of the stream's last event as the writer knows it
   * (0: the stream is new); another one rejects with `store.conflict`. On an fsync error the store refuses all
   * further writes.
   */
  append(stream: StreamName, expectedVersion: number, events: readonly NewEvent[]): Promise<Appended>

  /** Events after `from`, in order, up to the last one at the time of the call. */
  read(from: Position, op: Op): AsyncIterable<LedgerEvent>

  /** Size and root hash (hex) of the Merkle tree over all leaf hashes. */
  head(): Promise<TreeHead>

  /**
   * Recomputes every hash from the stored bytes; rejects with `ledger.tampered` naming the first bad position.
   * A ledger whose end was cut off, or that was rewritten with fitting hashes, agrees with itself: that shows only
   * beside a head of earlier that was kept elsewhere. With such a `from` it rejects unless the ledger continues it.
   */
  verify(op: Op, from?: TreeHead | null): Promise<VerifiedHead>

  close(): Promise<void>
}

export interface TreeHead {
  readonly size: number
  readonly rootHash: string
}

export interface VerifiedHead extends TreeHead {
  /** The head that this one continues, with the proof of RFC 6962, section 2.1.2 (hex); null: none was given. */
  readonly continues: (TreeHead & { readonly proof: readonly string[] }) | null
}
