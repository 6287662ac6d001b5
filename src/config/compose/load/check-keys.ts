import type { ComposeMistakes } from '../compose-mistakes.ts'
import { type ComposeMap, type ComposeNode, membersOf, suggestion } from '../compose-node.ts'
import type { KeyRule, KeyRules, Shape } from '../rules/key-rule.ts'
import { topLevelRules } from '../rules/top-level-rules.ts'

const shapeWords: Readonly<Record<Shape, string>> = {
  text: 'a text',
  list: 'a list',
  map: 'a block of keys',
}
/** Each item may be compared with every other. */
const mostItems = 5000
const serviceNamePattern = /^[a-zA-Z0-9._-]+$/

/** Reports every key that the Compose Specification does not know, and every value of a wrong form. */
export function checkKeys(file: ComposeMap, mistakes: ComposeMistakes): void {
  checkBlock(file, topLevelRules, '', mistakes)
}

function checkBlock(block: ComposeMap, rules: KeyRules, path: string, mistakes: ComposeMistakes): void {
  for (const [key, { key: at, value }] of block.entries) {
    if (key.startsWith('x-')) continue
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined) {
      const known = Object.keys(rules)
      const listed =
        known.length > 20
          ? 'The Compose Specification has no such key here.'
          : `Known are ${known.map((name) => `\`${name}\``).join(', ')}.`
      mistakes.report(at, `\`${path}${key}\` is not a key of Compose`, suggestion(key, known, listed))
    } else checkValue(value, rule, `${path}${key}`, mistakes)
  }
}

function checkValue(value: ComposeNode, rule: KeyRule, path: string, mistakes: ComposeMistakes): void {
  if (value.kind === 'empty') return
  if (!rule.shapes.includes(value.kind)) {
    const wanted = rule.shapes.map((shape) => shapeWords[shape]).join(' or ')
    mistakes.report(value.at, `\`${path}\` is ${shapeWords[value.kind]}`, `It must be ${wanted}.`)
    return
  }
  if (value.kind === 'list') checkItems(value.items, rule, path, mistakes)
  if (value.kind !== 'map' || rule.keys === undefined) return
  if (rule.named !== true) checkBlock(value, rule.keys, `${path}.`, mistakes)
  else
    for (const [name, { key: at, value: inner }] of membersOf(value)) {
      if (name.startsWith('x-') && path === '') continue
      const inside = `${path}.${name}`
      if (!serviceNamePattern.test(name))
        mistakes.report(at, `\`${inside}\` is not a name`, 'Use letters, digits, `.`, `_` and `-`.')
      if (inner.kind === 'map') checkBlock(inner, rule.keys, `${inside}.`, mistakes)
      else if (inner.kind !== 'empty')
        mistakes.report(
          inner.at,
          `\`${inside}\` is ${shapeWords[inner.kind]}`,
          `It must be ${shapeWords.map}.`,
        )
    }
}

/** A list holds texts, or blocks where the long syntax is known. */
function checkItems(
  items: readonly ComposeNode[],
  rule: KeyRule,
  path: string,
  mistakes: ComposeMistakes,
): void {
  if (items.length > mostItems) {
    const at = items[mostItems]?.at
    if (at !== undefined) mistakes.report(at, `\`${path}\` has more than ${mostItems} items`, 'Use fewer.')
    return
  }
  for (const item of items) {
    if (item.kind === 'map' && rule.keys !== undefined && rule.named !== true)
      checkBlock(item, rule.keys, `${path}[].`, mistakes)
    else if (item.kind !== 'text')
      mistakes.report(
        item.at,
        `an item of \`${path}\` is ${item.kind === 'empty' ? 'empty' : shapeWords[item.kind]}`,
        `It must be a text${rule.keys !== undefined && rule.named !== true ? ' or a block of keys' : ''}.`,
      )
  }
}
