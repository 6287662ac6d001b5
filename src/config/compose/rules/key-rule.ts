/** What becomes of a part of a Compose file. */
export const fates = ['carried', 'changed', 'dropped', 'refused'] as const
export type Fate = (typeof fates)[number]

export type Shape = 'text' | 'list' | 'map'

/** A key of the Compose Specification: what it may hold, and what becomes of it. */
export interface KeyRule {
  readonly fate: Fate
  /** What it becomes, or why it is left behind: a sentence without a full stop. */
  readonly text: string
  readonly shapes: readonly Shape[]
  /** The keys of its block, of the blocks in its list, or of the blocks that it names. */
  readonly keys?: KeyRules
  /** Its block names things: the keys are those of each of them. */
  readonly named?: true
  /** Values that ask for nothing, so that there is nothing to say about them. */
  readonly harmless?: readonly string[]
}

export type KeyRules = Readonly<Record<string, KeyRule>>

type Extra = Pick<KeyRule, 'keys' | 'named' | 'harmless'>

const rule =
  (fate: Fate) =>
  (shapes: string, text: string, extra: Extra = {}): KeyRule => ({
    fate,
    text,
    shapes: shapes.split('|') as readonly Shape[],
    ...extra,
  })

/** `shapes` is `text`, `list`, `map` or several with `|` between. */
export const carried = rule('carried')
export const changed = rule('changed')
export const dropped = rule('dropped')
export const refused = rule('refused')

/** Switches that are off. */
export const off: Extra = { harmless: ['false', 'no', 'off', '0'] }
