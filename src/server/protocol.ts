import type { WireError } from '../engine/engine.ts'

/** The HTTP API that this server speaks; raised by every change that an older CLI would not understand. */
export const apiVersion = 1
/** The oldest API version of a CLI that this server still serves. */
export const oldestApiVersion = 1

export const apiHeader = 'basalt-api'
export const versionHeader = 'basalt-version'

export const ndjsonType = 'application/x-ndjson'
export const tarType = 'application/x-tar'

/** One line of a stream: any number of items, then a result (where the call has one) or an error. */
export type StreamLine<Item = unknown, Result = unknown> =
  | { readonly type: 'item'; readonly item: Item }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'error'; readonly error: WireError }

/** What `GET /v1/health` says. Understood by every CLI version, so its members are only ever added to. */
export interface Health {
  readonly schema: 'basalt.health/v1'
  readonly version: string
  readonly api: { readonly oldest: number; readonly newest: number }
  readonly pid: number
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly home: string
  /** Resident set size. */
  readonly memoryBytes: number
  /** Null: it is not served. `url` is null, with a problem, while it cannot be. */
  readonly registry: { readonly url: string | null; readonly problem: string | null } | null
}
