import type { ComposeMistakes } from '../compose-mistakes.ts'
import type { ComposeEntry, ComposeNode, ComposePlace, ComposeText } from '../compose-node.ts'
import { isSecretVariable } from '../secret-values.ts'
import { interpolate, type Lookup, longestValue } from './interpolate.ts'

/** A variable where it was put into a value. */
export interface UsedVariable {
  readonly name: string
  readonly at: ComposePlace
  /** It has neither a value nor a default, and stands for nothing. */
  readonly isUnset: boolean
}

/** Where a secret is left out by itself, or nothing is carried over. Anywhere else it would come into basalt.yaml. */
const secretsAllowed = new Set([
  'environment',
  'args',
  'labels',
  'annotations',
  'command',
  'entrypoint',
  'test',
  'image',
  'user',
  'configs',
  'secrets',
  'logging',
  'develop',
])

/** What the variables of a file come from and go to. */
export interface Interpolating {
  readonly lookup: Lookup
  readonly mistakes: ComposeMistakes
  readonly used: UsedVariable[]
}

/**
 * Puts variables into all values of a file; keys are left as they are. A variable that holds a secret where its value
 * would be written down is a mistake.
 */
export function interpolateTree(node: ComposeNode, given: Interpolating): ComposeNode {
  return fill(node, given, { path: [], allowsSecrets: false })
}

interface Where {
  readonly path: readonly string[]
  readonly allowsSecrets: boolean
}

function fill(node: ComposeNode, given: Interpolating, where: Where): ComposeNode {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => fill(item, given, where)) }
  if (node.kind === 'map') {
    const entries = new Map<string, ComposeEntry>()
    for (const [key, { key: at, value }] of node.entries)
      entries.set(key, { key: at, value: fill(value, given, within(where, key)) })
    return { ...node, entries }
  }
  return node.kind === 'empty' ? node : fillText(node, given, where.allowsSecrets)
}

function within({ path, allowsSecrets }: Where, key: string): Where {
  // The names of services and the like are anyone's choice.
  const isName = path.length === 1
  return { path: [...path, key], allowsSecrets: allowsSecrets || (!isName && secretsAllowed.has(key)) }
}

function fillText(
  node: ComposeText,
  { lookup, mistakes, used }: Interpolating,
  allowsSecrets: boolean,
): ComposeNode {
  if (node.text.length > longestValue && !allowsSecrets) {
    mistakes.report(node.at, `the value is longer than ${longestValue / 1024} KiB`, 'Use a shorter one.')
    return { ...node, text: '' }
  }
  if (!node.text.includes('$')) return node
  const filled = interpolate(node.text, lookup)
  if (filled.fault !== null) mistakes.report(node.at, filled.fault.fact, filled.fault.remedy)
  for (const name of filled.used) used.push({ name, at: node.at, isUnset: filled.unset.includes(name) })
  // A default that is written in the file counts like a value.
  const secret = filled.used.find((name) => isSecretVariable(name, lookup(name) ?? 'written in the file'))
  if (secret !== undefined && !allowsSecrets)
    mistakes.report(
      node.at,
      `\`${secret}\` looks like a secret, and would be written into basalt.yaml here`,
      'Write the value itself if it is none.',
    )
  return { ...node, text: filled.text, secret: secret ?? null }
}
