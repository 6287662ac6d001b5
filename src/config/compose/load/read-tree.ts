import { type ManifestPath, ProblemList } from '../../problem-list.ts'
import { readYaml, type YamlSource } from '../../yaml/read-yaml.ts'
import type { ComposeMistakes } from '../compose-mistakes.ts'
import type { ComposeEntry, ComposeNode, ComposePlace } from '../compose-node.ts'

/**
 * A YAML text as a tree in which every part knows its place; null when it is not YAML, which is reported. Scalars
 * are taken as they are written.
 */
export function readTree(
  text: string,
  file: Pick<ComposePlace, 'file' | 'folder'>,
  mistakes: ComposeMistakes,
): ComposeNode | null {
  const { source, problems } = readYaml(
    text,
    () => true,
    (locate) => new ProblemList(file.file, locate),
  )
  for (const { line, column, message, remedy, file: name } of problems.problems)
    mistakes.report({ file: name, line, column }, message, remedy)
  return source !== null && problems.isEmpty ? nodeAt(source.value, [], source, file) : null
}

function nodeAt(
  value: unknown,
  path: ManifestPath,
  source: YamlSource,
  file: Pick<ComposePlace, 'file' | 'folder'>,
): ComposeNode {
  const at: ComposePlace = { ...file, ...source.locate(path, 'value') }
  if (Array.isArray(value))
    return {
      kind: 'list',
      at,
      items: value.map((item, index) => nodeAt(item, [...path, index], source, file)),
    }
  if (typeof value === 'object' && value !== null) {
    const entries = new Map<string, ComposeEntry>()
    for (const [key, inner] of Object.entries(value)) {
      const inside = [...path, key]
      entries.set(key, {
        key: { ...file, ...source.locate(inside, 'key') },
        value: nodeAt(inner, inside, source, file),
      })
    }
    return { kind: 'map', at, entries }
  }
  if (value === null || value === undefined) return { kind: 'empty', at }
  return { kind: 'text', at, text: typeof value === 'string' ? value : JSON.stringify(value), secret: null }
}
