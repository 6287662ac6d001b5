import { BasaltError } from '../errors.ts'

/** A place in the manifest as keys and list positions: `['services', 'web', 'needs', 0]`. */
export type ManifestPath = readonly (string | number)[]

export interface Place {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units. */
  readonly column: number
}

export interface Problem extends Place {
  readonly file: string
  /** The fact. */
  readonly message: string
  /** What to write instead. */
  readonly remedy: string
}

/** Where to point: at the key itself (a key that should not be there) or at its value. */
export type Aim = 'key' | 'value'

/** Finds where something was written; falls back to the closest block around it. */
export type Locate = (path: ManifestPath, aim: Aim) => Place

const mostListed = 100
const separator = '\u0000'

/** Collects every mistake of one file, so that all are reported at once, and knows which parts are sound. */
export class ProblemList {
  readonly file: string
  readonly #problems: Problem[] = []
  readonly #seen = new Set<string>()
  readonly #spoiled = new Set<string>()
  readonly #aroundSpoiled = new Set<string>()
  readonly #unread = new Set<string>()
  /** Blocks of which some keys are not known, with those that are. */
  readonly #incomplete = new Map<string, ReadonlySet<string | number>>()
  readonly #locate: Locate

  constructor(file: string, locate: Locate) {
    this.file = file
    this.#locate = locate
  }

  get isEmpty(): boolean {
    return this.#problems.length === 0
  }

  /** In the order in which they were found. */
  get problems(): readonly Problem[] {
    return this.#problems
  }

  /** A mistaken key says nothing about what it holds, which is judged further; a mistaken value is spoiled. */
  report(path: ManifestPath, message: string, remedy: string, aim: Aim = 'value'): void {
    if (aim === 'value') this.spoil(path)
    else this.#spoilAround(path)
    this.reportAt(this.#locate(path, aim), message, remedy)
  }

  reportAt(place: Place, message: string, remedy: string): void {
    const identity = `${place.line}:${place.column}:${message}`
    if (this.#seen.has(identity)) return
    this.#seen.add(identity)
    this.#problems.push({ file: this.file, line: place.line, column: place.column, message, remedy })
  }

  /** Marks a part that no further check should judge, because its mistake is reported already. */
  spoil(path: ManifestPath): void {
    this.#spoiled.add(path.join(separator))
    this.#spoilAround(path)
  }

  /** Marks a part that the YAML does not tell, by a mistake that is reported already: that it is missing is no news. */
  markUnread(path: ManifestPath): void {
    this.spoil(path)
    this.#unread.add(path.join(separator))
  }

  /** As `markUnread`, for all keys of a block but these. */
  markIncomplete(path: ManifestPath, known: ReadonlySet<string | number>): void {
    this.#incomplete.set(path.join(separator), known)
    this.#spoilAround([...path, ''])
  }

  isUnread(path: ManifestPath): boolean {
    return this.#isAmong(this.#unread, path)
  }

  /** True when the part or one around it is among them, or one that nobody knows. */
  #isAmong(parts: ReadonlySet<string>, path: ManifestPath): boolean {
    for (let length = 0; length <= path.length; length++) {
      const around = path.slice(0, length).join(separator)
      if (parts.has(around)) return true
      const next = path[length]
      if (next !== undefined && this.#incomplete.get(around)?.has(next) === false) return true
    }
    return false
  }

  #spoilAround(path: ManifestPath): void {
    for (let length = 0; length < path.length; length++)
      this.#aroundSpoiled.add(path.slice(0, length).join(separator))
  }

  /** True when neither the part's value, nor anything in it or around it, has a problem. */
  isSound(path: ManifestPath): boolean {
    return !this.#aroundSpoiled.has(path.join(separator)) && this.isReadable(path)
  }

  /** True when neither the part as a whole nor anything around it is spoiled; something in it may be. */
  isReadable(path: ManifestPath): boolean {
    return !this.#isAmong(this.#spoiled, path)
  }

  toError(): BasaltError {
    const sorted = this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
    const listed = sorted.slice(0, mostListed)
    const rest = sorted.length - listed.length
    const lines = listed.map(problemLine)
    if (rest > 0) lines.push(`and ${rest} more`)
    const count = sorted.length === 1 ? '1 mistake' : `${sorted.length} mistakes`
    return new BasaltError('manifest.invalid', {
      message: `${this.file} has ${count}:\n${lines.join('\n')}`,
      remedy: 'Correct the file and check it with `basalt validate`.',
      details: { problems: listed.map((problem) => ({ ...problem })), total: sorted.length },
    })
  }
}

/** `file:line:column: fact. Remedy`, as editors and terminals make it a link. */
export function problemLine(problem: Problem): string {
  const joint = problem.remedy.startsWith('did you mean') ? '; ' : '. '
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}${joint}${problem.remedy}`
}
