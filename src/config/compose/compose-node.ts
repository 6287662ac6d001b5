import { closestName } from '../closest-name.ts'

/** Where something is written. */
export interface ComposePlace {
  /** As people see it. */
  readonly file: string
  /** Absolute; relative paths in the file begin here. */
  readonly folder: string
  /** From 1. */
  readonly line: number
  readonly column: number
}

/** A scalar as it was written: `8080`, `"8080"` and, where asked, `true` are texts. */
export interface ComposeText {
  readonly kind: 'text'
  readonly at: ComposePlace
  readonly text: string
  /** The variable with a secret's name whose value is in the text. */
  readonly secret: string | null
}

export interface ComposeList {
  readonly kind: 'list'
  readonly at: ComposePlace
  readonly items: readonly ComposeNode[]
}

export interface ComposeEntry {
  readonly key: ComposePlace
  readonly value: ComposeNode
}

export interface ComposeMap {
  readonly kind: 'map'
  readonly at: ComposePlace
  readonly entries: ReadonlyMap<string, ComposeEntry>
}

/** `key:` with nothing behind it. */
interface ComposeEmpty {
  readonly kind: 'empty'
  readonly at: ComposePlace
}

/** A part of a Compose file. Every part keeps its place, so that it can be merged with parts of other files. */
export type ComposeNode = ComposeText | ComposeList | ComposeMap | ComposeEmpty

export const emptyMap = (at: ComposePlace): ComposeMap => ({ kind: 'map', at, entries: new Map() })

/** The member of a block; undefined where it is absent or empty. */
export function member(node: ComposeNode | undefined, key: string): ComposeNode | undefined {
  const value = node?.kind === 'map' ? node.entries.get(key)?.value : undefined
  return value?.kind === 'empty' ? undefined : value
}

export function textOf(node: ComposeNode | undefined): ComposeText | undefined {
  return node?.kind === 'text' ? node : undefined
}

/** The texts of a list, or the one text that stands for a list of one. */
export function textsOf(node: ComposeNode | undefined): readonly ComposeText[] {
  if (node?.kind === 'text') return [node]
  return node?.kind === 'list' ? node.items.filter((item) => item.kind === 'text') : []
}

/** The members of a block with their values, empty ones included. */
export const membersOf = (node: ComposeNode | undefined): readonly (readonly [string, ComposeEntry])[] =>
  node?.kind === 'map' ? [...node.entries] : []

/**
 * A block, or a list of `NAME=value` lines, as a block. A name alone has an empty value.
 */
export function asBlock(node: ComposeNode, separator: RegExp = /=/): ComposeNode {
  if (node.kind !== 'list') return node
  const entries = new Map<string, ComposeEntry>()
  for (const item of node.items) {
    if (item.kind !== 'text') continue
    const cut = separator.exec(item.text)
    const name = cut === null ? item.text : item.text.slice(0, cut.index)
    const value: ComposeNode =
      cut === null
        ? { kind: 'empty', at: item.at }
        : { ...item, text: item.text.slice(cut.index + cut[0].length) }
    entries.set(name, { key: item.at, value })
  }
  return { kind: 'map', at: node.at, entries }
}

/** Compose's booleans, which may be texts after interpolation; anything else is not true. */
export const isTrue = (node: ComposeNode | undefined): boolean =>
  /^(?:true|yes|on|y|1)$/i.test(textOf(node)?.text.trim() ?? '')

export const suggestion = (typed: string, known: Iterable<string>, otherwise: string): string => {
  const close = closestName(typed, known)
  return close === null ? otherwise : `did you mean \`${close}\`?`
}
