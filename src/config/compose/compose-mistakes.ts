import { BasaltError } from '../../errors.ts'
import { type Place, type Problem, problemLine } from '../problem-list.ts'

const mostListed = 100

/** Every mistake of a Compose project, over all its files, so that all are reported at once. */
export class ComposeMistakes {
  readonly #problems: Problem[] = []
  readonly #seen = new Set<string>()

  get isEmpty(): boolean {
    return this.#problems.length === 0
  }

  report(at: Place & { readonly file: string }, message: string, remedy: string): void {
    const { file, line, column } = at
    const identity = `${file}:${line}:${column}:${message}`
    if (this.#seen.has(identity)) return
    this.#seen.add(identity)
    this.#problems.push({ file, line, column, message, remedy })
  }

  /** @throws BasaltError `compose.invalid` when anything was reported */
  throwIfAny(): void {
    if (this.isEmpty) return
    const sorted = this.#problems.toSorted(
      (a, b) => Number(a.file > b.file) - Number(a.file < b.file) || a.line - b.line || a.column - b.column,
    )
    const listed = sorted.slice(0, mostListed)
    const rest = sorted.length - listed.length
    const lines = [...listed.map(problemLine), ...(rest > 0 ? [`and ${rest} more`] : [])]
    const count = sorted.length === 1 ? '1 mistake' : `${sorted.length} mistakes`
    throw new BasaltError('compose.invalid', {
      message: `the Compose project has ${count}:\n${lines.join('\n')}`,
      remedy: 'Correct the files; docs/compose.md says what is understood. Nothing was written.',
      details: { problems: listed.map((problem) => ({ ...problem })), total: sorted.length },
    })
  }
}
