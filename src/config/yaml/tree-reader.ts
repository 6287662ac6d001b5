import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import type { ManifestPath, ProblemList } from '../problem-list.ts'
import { deepest } from './syntax-problems.ts'

/** Says where a scalar is wanted as it was written: `1.10` stays "1.10", `0644` stays "0644". */
export type WantsText = (path: ManifestPath) => boolean

/** A value and where it stands. Children are keyed as in the data: text in mappings, numbers in lists. */
export interface Entry {
  readonly value: unknown
  readonly offset: number
  /** Of the key that holds it; its own offset in lists and at the root. */
  readonly keyOffset: number
  /** Null for scalars. */
  readonly children: ReadonlyMap<string | number, Entry> | null
}

interface At {
  readonly path: ManifestPath
  readonly keyOffset: number
  /** It is not the value at the path, but gives keys to it. */
  readonly isMerged?: true
}

/** Aliases may repeat parts; a file whose parts multiply beyond this is an attack or an accident. */
const mostValues = 200_000

/** Turns parsed nodes into data in one pass in document order, so that an alias finds its anchor in O(1). */
export class TreeReader {
  readonly #lines: LineCounter
  readonly #problems: ProblemList
  readonly #wantsText: WantsText
  readonly #anchors = new Map<string, Node>()
  readonly #open = new Set<Node>()
  /** Blocks of which some keys are not known. */
  readonly #partial = new WeakSet<Entry>()
  #values = 0

  constructor(lines: LineCounter, problems: ProblemList, wantsText: WantsText) {
    this.#lines = lines
    this.#problems = problems
    this.#wantsText = wantsText
  }

  /** Null when aliases make too much of it. Parts that the text does not tell are null and marked as unread. */
  read(root: Node | null): Entry | null {
    const entry = this.#entry(root, { path: [], keyOffset: root?.range?.[0] ?? 0 })
    return this.#values > mostValues ? null : entry
  }

  #entry(node: Node | null, at: At): Entry {
    // An empty value has no place of its own: its key is where people look.
    const isEmpty = node?.range === undefined || node.range?.[0] === node.range?.[1]
    const offset = isEmpty ? at.keyOffset : (node?.range?.[0] ?? at.keyOffset)
    const leaf = (value: unknown): Entry => ({ value, offset, keyOffset: at.keyOffset, children: null })
    this.#values++
    if (node === null) return leaf(null)
    if (this.#values > mostValues) return leaf(this.#tooMany(offset))
    if (isAlias(node)) return this.#aliased(node.source, offset, at)
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    if (isScalar(node)) return leaf(this.#scalar(node, offset, at))
    if (at.path.length >= deepest) {
      this.#unread(at, offset, 'the file is nested too deeply', `Nest at most ${deepest} levels deep.`)
      return leaf(null)
    }
    this.#open.add(node)
    try {
      if (isMap(node)) return this.#mapping(node, offset, at)
      if (isSeq(node)) return this.#list(node, offset, at)
      return leaf(null)
    } finally {
      this.#open.delete(node)
    }
  }

  #aliased(name: string, offset: number, at: At): Entry {
    const nothing: Entry = { value: null, offset, keyOffset: at.keyOffset, children: null }
    this.#partial.add(nothing)
    const target = this.#anchors.get(name)
    if (target === undefined) {
      this.#unread(
        at,
        offset,
        `no anchor \`&${name}\` stands before this alias`,
        'Define the anchor first, or quote a text that begins with `*`.',
      )
      return nothing
    }
    if (this.#open.has(target)) {
      this.#unread(
        at,
        offset,
        `\`*${name}\` contains itself`,
        'Remove the alias, or quote a text that begins with `*`.',
      )
      return nothing
    }
    return this.#entry(target, at)
  }

  #mapping(node: YAMLMap, offset: number, at: At): Entry {
    const children = new Map<string | number, Entry>()
    const merges: Entry[] = []
    let isComplete = true
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = this.#key(pair.key)
      if (key === null) {
        isComplete = false
        continue
      }
      const keyOffset = pair.key.range?.[0] ?? offset
      if (key === '<<' && isScalar(pair.key) && pair.key.type === 'PLAIN') {
        const sources = isSeq(pair.value) ? (pair.value.items as (Node | null)[]) : [pair.value]
        for (const source of sources)
          merges.push(this.#entry(source, { path: at.path, keyOffset, isMerged: true }))
        continue
      }
      if (children.has(key)) {
        this.#report(
          keyOffset,
          `\`${key}\` is written twice in one block`,
          `Keep one of them; the first is on line ${this.#lineOf(children.get(key))}.`,
        )
        continue
      }
      children.set(key, this.#entry(pair.value, { path: [...at.path, key], keyOffset }))
    }
    for (const merge of merges) if (!this.#merge(merge, children)) isComplete = false
    const value: Record<string, unknown> = {}
    for (const [key, child] of children) value[key] = child.value
    const entry: Entry = { value, offset, keyOffset: at.keyOffset, children }
    if (isComplete) return entry
    this.#partial.add(entry)
    if (at.isMerged !== true) this.#problems.markIncomplete(at.path, new Set(children.keys()))
    return entry
  }

  /**
   * Keys that are written win over merged ones, earlier merges over later ones (YAML merge key draft). False when
   * some of its keys are not known.
   */
  #merge(source: Entry, into: Map<string | number, Entry>): boolean {
    const isPartial = this.#partial.has(source)
    if (source.children === null && isPartial) return false
    if (source.children === null || Array.isArray(source.value)) {
      this.#report(
        source.offset,
        '`<<` must name a block of keys',
        'Write `<<: *anchor`, where `&anchor` marks a block.',
      )
      return false
    }
    for (const [key, child] of source.children) if (!into.has(key)) into.set(key, child)
    return !isPartial
  }

  #list(node: YAMLSeq, offset: number, at: At): Entry {
    const children = new Map<string | number, Entry>()
    for (const [index, item] of (node.items as (Node | null)[]).entries())
      children.set(
        index,
        this.#entry(item, { path: [...at.path, index], keyOffset: item?.range?.[0] ?? offset }),
      )
    return {
      value: [...children.values()].map((child) => child.value),
      offset,
      keyOffset: at.keyOffset,
      children,
    }
  }

  #key(node: Node | null): string | null {
    const offset = node?.range?.[0] ?? 0
    if (!isScalar(node) || node.value === null) {
      this.#report(
        offset,
        'a key must be a plain text',
        'Write `key: value`; quote a text that begins with `{`, `[` or `*`.',
      )
      return null
    }
    const key = typeof node.value === 'string' ? node.value : (node.source ?? '')
    if (key === '__proto__') {
      this.#report(offset, '`__proto__` cannot be a key', 'Choose another name.')
      return null
    }
    return this.#holdable(key, offset) ? key : null
  }

  #scalar(node: Scalar, offset: number, at: At): unknown {
    const value = node.value
    if (typeof value === 'string') {
      if (this.#holdable(value, offset)) return value
      this.#problems.markUnread(at.path)
      return ''
    }
    if (value === null || (typeof value !== 'number' && typeof value !== 'boolean')) return null
    return this.#wantsText(at.path) ? (node.source ?? String(value)) : value
  }

  #holdable(text: string, offset: number): boolean {
    if (text.isWellFormed() && !text.includes('\u0000')) return true
    this.#report(offset, 'a text contains NUL or half a character', 'Remove the `\\0` or `\\u` escape.')
    return false
  }

  #tooMany(offset: number): null {
    if (this.#values === mostValues + 1)
      this.#report(
        offset,
        `aliases multiply the file to more than ${mostValues} values`,
        'Repeat fewer parts by alias.',
      )
    return null
  }

  #unread(at: At, offset: number, message: string, remedy: string): void {
    this.#report(offset, message, remedy)
    if (at.isMerged !== true) this.#problems.markUnread(at.path)
  }

  #lineOf(entry: Entry | undefined): number {
    return this.#lines.linePos(entry?.keyOffset ?? 0).line
  }

  #report(offset: number, message: string, remedy: string): void {
    const { line, col } = this.#lines.linePos(offset)
    this.#problems.reportAt({ line: Math.max(line, 1), column: Math.max(col, 1) }, message, remedy)
  }
}
