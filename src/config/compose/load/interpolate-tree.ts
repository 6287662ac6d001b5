import type { ComposeMistakes } from '../compose-mistakes.ts'
import type { ComposeEntry, ComposeNode, ComposePlace } from '../compose-node.ts'
import { isSecretVariable } from '../secret-values.ts'
import { interpolate, type Lookup } from './interpolate.ts'

/** A variable where it was put into a value. */
export interface UsedVariable {
  readonly name: string
  readonly at: ComposePlace
  /** It has neither a value nor a default, and stands for nothing. */
  readonly isUnset: boolean
}

/** Puts variables into all values; keys are left as they are. */
export function interpolateTree(
  node: ComposeNode,
  lookup: Lookup,
  mistakes: ComposeMistakes,
  used: UsedVariable[],
): ComposeNode {
  const inner = (child: ComposeNode): ComposeNode => interpolateTree(child, lookup, mistakes, used)
  if (node.kind === 'list') return { ...node, items: node.items.map(inner) }
  if (node.kind === 'map') {
    const entries = new Map<string, ComposeEntry>()
    for (const [key, { key: at, value }] of node.entries) entries.set(key, { key: at, value: inner(value) })
    return { ...node, entries }
  }
  if (node.kind === 'empty' || !node.text.includes('$')) return node
  const filled = interpolate(node.text, lookup)
  if (filled.fault !== null) mistakes.report(node.at, filled.fault.fact, filled.fault.remedy)
  for (const name of filled.used) used.push({ name, at: node.at, isUnset: filled.unset.includes(name) })
  // A default that is written in the file counts like a value.
  const secret = filled.used.find((name) => isSecretVariable(name, lookup(name) ?? 'written in the file'))
  return { ...node, text: filled.text, secret: secret ?? null }
}
