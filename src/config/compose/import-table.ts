import type { ComposePlace } from './compose-node.ts'
import type { Fate } from './rules/key-rule.ts'

/** One line of the table: what became of one part of the project. */
export interface ImportRow {
  /** The service’s name in Compose; null for the project as a whole. */
  readonly service: string | null
  /** As in the Compose file, `deploy.replicas`. */
  readonly key: string
  readonly fate: Fate
  /** What it became, or why it did not. Never a secret. */
  readonly text: string
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Collects the rows. */
export class ImportTable {
  readonly #rows: ImportRow[] = []
  readonly #seen = new Set<string>()

  get rows(): readonly ImportRow[] {
    return this.#rows
  }

  add(service: string | null, key: string, fate: Fate, at: ComposePlace, text: string): void {
    const { file, line, column } = at
    const identity = JSON.stringify([service, key, text, file, line, column])
    if (this.#seen.has(identity)) return
    this.#seen.add(identity)
    this.#rows.push({ service, key, fate, text, file, line, column })
  }
}
