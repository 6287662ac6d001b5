import {
  asBlock,
  type ComposeEntry,
  type ComposeMap,
  type ComposeNode,
  type ComposeText,
} from '../compose-node.ts'

/** Replaced as a whole: two halves of a command make none. */
const replaced = new Set(['command', 'entrypoint', 'test'])
/** Blocks that may be written as lists of `NAME=value`. */
const equalsBlocks = new Set(['environment', 'labels', 'args', 'annotations', 'sysctls', 'options'])
const hostBlocks = new Set(['extra_hosts'])
const nameBlocks = new Set(['depends_on', 'networks', 'models'])
/** Lists in which an item takes the place of another with the same target. */
const byTarget = new Set(['volumes', 'secrets', 'configs'])

/**
 * `upper` over `lower` as the Compose Specification merges: blocks by key, lists one behind the other, commands
 * replaced, mounts by their target, ports once each.
 */
export function mergeNodes(lower: ComposeNode, upper: ComposeNode, key = ''): ComposeNode {
  if (upper.kind === 'empty') return lower
  if (lower.kind === 'empty' || replaced.has(key)) return upper
  const [below, above] = [asMergeable(lower, upper, key), asMergeable(upper, lower, key)]
  if (below.kind === 'map' && above.kind === 'map') return mergeMaps(below, above)
  if (below.kind === 'list' && above.kind === 'list')
    return { ...above, items: mergeItems(below.items, above.items, key) }
  return above
}

function mergeMaps(lower: ComposeMap, upper: ComposeMap): ComposeMap {
  const entries = new Map<string, ComposeEntry>(lower.entries)
  for (const [key, entry] of upper.entries) {
    const below = entries.get(key)
    entries.set(
      key,
      below === undefined ? entry : { ...entry, value: mergeNodes(below.value, entry.value, key) },
    )
  }
  return { ...upper, entries }
}

function asMergeable(node: ComposeNode, other: ComposeNode, key: string): ComposeNode {
  if (equalsBlocks.has(key)) return asBlock(node)
  if (hostBlocks.has(key)) return asBlock(node, /[=:]/)
  if (nameBlocks.has(key)) return asBlock(node)
  if (key === 'build' && node.kind === 'text') return withKey('context', node)
  if (node.kind === 'text' && other.kind === 'list') return { kind: 'list', at: node.at, items: [node] }
  return node
}

const withKey = (key: string, value: ComposeText): ComposeMap => ({
  kind: 'map',
  at: value.at,
  entries: new Map([[key, { key: value.at, value }]]),
})

function mergeItems(
  lower: readonly ComposeNode[],
  upper: readonly ComposeNode[],
  key: string,
): readonly ComposeNode[] {
  const merged = new Map<string, ComposeNode>()
  for (const [index, item] of [...lower, ...upper].entries())
    merged.set(identityOf(item, key) ?? `#${index}`, item)
  return [...merged.values()]
}

/** Null: nothing else is the same. */
function identityOf(item: ComposeNode, key: string): string | null {
  if (item.kind === 'text') return byTarget.has(key) ? `target ${targetOf(item.text)}` : `text ${item.text}`
  if (item.kind !== 'map' || !byTarget.has(key)) return null
  const target = item.entries.get('target')?.value ?? item.entries.get('source')?.value
  return target?.kind === 'text' ? `target ${target.text}` : null
}

/** Of the short syntax of a mount: `/data`, `name:/data`, `name:/data:ro`. */
function targetOf(text: string): string {
  const parts = text.split(':')
  return parts.length === 1 ? text : (parts[1] ?? text)
}
