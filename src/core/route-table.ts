import type { EnvironmentId, GroupId } from './ids.ts'

/** All ways into an environment. Routing replaces the whole table in one step. */
export interface RouteTable {
  readonly environment: EnvironmentId
  /** The generation that serves; null when nothing does (then `entries` is empty). */
  readonly generation: number | null
  readonly entries: readonly RouteEntry[]
}

export type RouteEntry =
  | {
      readonly kind: 'http'
      readonly entryPort: number
      /** Lower-case host name or `*`. */
      readonly host: string
      /** `/` or `/prefix`, matched on whole segments; the longest wins; a named host wins over `*`. */
      readonly path: string
      readonly group: GroupId
      readonly port: number
    }
  | { readonly kind: 'tcp'; readonly entryPort: number; readonly group: GroupId; readonly port: number }
