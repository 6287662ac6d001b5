import { LineCounter, parseDocument } from 'yaml'
import type { Aim, Locate, ManifestPath, Place, ProblemList } from '../problem-list.ts'
import { passesLimits, reportSyntax } from './syntax-problems.ts'
import { type Entry, TreeReader, type WantsText } from './tree-reader.ts'

/** A YAML text as plain data: null-safe JSON values, with the place of each. */
export interface YamlSource {
  readonly value: unknown
  readonly locate: Locate
}

/**
 * Reads YAML 1.2 (core schema: `yes` and `on` are texts) with anchors and `<<` merge keys. Reports what is
 * wrong to the list that `listFor` makes; never throws. Duplicate keys, unknown tags, several documents,
 * endless or exploding aliases and texts that no file or process could hold are refused.
 *
 * The source is null when nothing in the text can be relied on. Else it may be read on, to find what else is
 * mistaken: parts that are not known are marked as unread.
 */
export function readYaml(
  text: string,
  wantsText: WantsText,
  listFor: (locate: Locate) => ProblemList,
): { readonly source: YamlSource | null; readonly problems: ProblemList } {
  const lines = new LineCounter()
  let root: Entry | null = null
  const locate: Locate = (path, aim) => placeOf(root, path, aim, lines)
  const problems = listFor(locate)
  if (!passesLimits(text, problems)) return { source: null, problems }

  const document = parseDocument(text, {
    lineCounter: lines,
    keepSourceTokens: false,
    prettyErrors: false,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    // Checked by the tree reader, in linear time.
    uniqueKeys: false,
    logLevel: 'error',
  })
  reportSyntax(document, lines, problems)
  if (!problems.isEmpty) return { source: null, problems }

  const reader = new TreeReader(lines, problems, wantsText)
  root = reader.read(document.contents)
  if (root === null) return { source: null, problems }
  return { source: { value: root.value, locate }, problems }
}

function placeOf(root: Entry | null, path: ManifestPath, aim: Aim, lines: LineCounter): Place {
  let entry = root
  let isWritten = true
  for (const segment of path) {
    const child = childOf(entry, segment)
    if (child === undefined) {
      isWritten = false
      break
    }
    entry = child
  }
  if (entry === null) return { line: 1, column: 1 }
  const atKey = aim === 'key' || !isWritten || entry.children !== null
  const { line, col } = lines.linePos(atKey ? entry.keyOffset : entry.offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** Lists answer to a position and to an item's own text, because later stages sort what was written. */
function childOf(entry: Entry | null, segment: string | number): Entry | undefined {
  const children = entry?.children
  if (children === null || children === undefined) return undefined
  const direct = children.get(segment)
  if (direct !== undefined || typeof segment === 'number') return direct
  for (const [key, child] of children) if (typeof key === 'number' && child.value === segment) return child
  return undefined
}
