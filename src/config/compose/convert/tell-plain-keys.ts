import { type ComposeEntry, type ComposeNode, type ComposePlace, isTrue, membersOf } from '../compose-node.ts'
import type { Fate, KeyRule, KeyRules } from '../rules/key-rule.ts'

type Tell = (fate: Fate, key: string, at: ComposePlace, text: string) => void

/**
 * A row for each key that is dropped or refused whatever its value is. What is carried or changed is told by the code
 * that does it.
 */
export function tellPlainKeys(
  entries: Iterable<readonly [string, ComposeEntry]>,
  rules: KeyRules,
  tell: Tell,
  path = '',
  isDropped = false,
): void {
  for (const [key, { key: at, value }] of entries) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined || isEmpty(value)) continue
    if (isHarmless(value, rule)) {
      if (rule.fate === 'dropped' || rule.fate === 'refused')
        tell('carried', `${path}${key}`, at, 'it is so here too, unasked')
      continue
    }
    // What is in a dropped block is dropped with it, and said once.
    if (rule.fate === 'refused' || (rule.fate === 'dropped' && !isDropped))
      tell(rule.fate, `${path}${key}`, at, rule.text)
    if (rule.fate === 'refused') continue
    const isInside = isDropped || rule.fate === 'dropped'
    for (const block of blocksOf(value, rule))
      tellPlainKeys(membersOf(block), rule.keys ?? {}, tell, `${path}${key}.`, isInside)
  }
}

const isEmpty = (value: ComposeNode): boolean =>
  value.kind === 'empty' ||
  (value.kind === 'list' && value.items.length === 0) ||
  (value.kind === 'map' && value.entries.size === 0)

/** The value asks for what is so anyway. */
function isHarmless(value: ComposeNode, { harmless = [] }: KeyRule): boolean {
  if (value.kind === 'list')
    return value.items.every((item) => item.kind === 'text' && harmless.includes(item.text))
  if (value.kind !== 'text') return false
  return harmless.includes(value.text) || (harmless.includes('false') && !isTrue(value))
}

/** The blocks whose keys the rule knows. */
function blocksOf(value: ComposeNode, rule: KeyRule): readonly ComposeNode[] {
  if (rule.keys === undefined) return []
  if (value.kind === 'list') return value.items
  if (value.kind !== 'map') return []
  return rule.named === true ? [...value.entries.values()].map((entry) => entry.value) : [value]
}
