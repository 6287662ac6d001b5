import type { ComposeMistakes } from '../compose-mistakes.ts'
import { type ComposeNode, type ComposePlace, isTrue, member, textOf } from '../compose-node.ts'
import { sizeInBytes } from '../quantities.ts'

export interface Mount {
  readonly kind: 'volume' | 'bind' | 'tmpfs' | 'other'
  /** As written, `bind`, `npipe`. */
  readonly type: string
  readonly at: ComposePlace
  /** The volume's name or the path on the machine; undefined: it has none. */
  readonly source?: string
  /** Absolute, without a trailing slash. */
  readonly target: string
  readonly isReadOnly: boolean
  readonly hasSubpath: boolean
  readonly sizeBytes: number | null
}

const kinds: Readonly<Record<string, Mount['kind']>> = { volume: 'volume', bind: 'bind', tmpfs: 'tmpfs' }

/** Where images keep what must last. */
export const isDataPath = (path: string): boolean =>
  /^\/(?:data|config|bitnami|storage|backups?|db|var\/(?:lib|opt|data|backups?)|srv\/data|mnt\/data)(?:\/|$)|\/(?:uploads?|wp-content|pgdata|storage)$/.test(
    path,
  )

/** One item of `volumes`, short or long. What cannot be understood is reported. */
export function parseMount(node: ComposeNode, mistakes: ComposeMistakes): readonly Mount[] {
  const mount = node.kind === 'map' ? parseLong(node) : parseShort(node)
  const { target } = mount
  if (/^\/[^\0-\x1f\x7f]*$/.test(target) && !/(?:^|\/)\.{1,2}(?:\/|$)|\/\//.test(target))
    return [{ ...mount, target: target === '/' ? target : target.replace(/\/$/, '') }]
  mistakes.report(
    node.at,
    target === ''
      ? 'a mount has no target'
      : `${JSON.stringify(target.slice(0, 80))} is not an absolute path`,
    'Write `name:/path`, or `{ type: volume, source: name, target: /path }`.',
  )
  return []
}

/** `[source:]target[:mode]`; a source with a drive letter or a slash is a path. */
function parseShort(node: ComposeNode): Mount {
  const parts = (textOf(node)?.text ?? '').trim().split(':')
  if (parts.length > 2 && /^[A-Za-z]$/.test(parts[0] ?? '') && /^[\\/]/.test(parts[1] ?? ''))
    parts.splice(0, 2, `${parts[0]}:${parts[1]}`)
  const [source, target, mode = ''] = parts.length === 1 ? [undefined, parts[0], ''] : parts
  const isPath = source !== undefined && /^(?:[./~\\]|[A-Za-z]:)/.test(source)
  const kind = isPath ? 'bind' : 'volume'
  return {
    kind,
    type: kind,
    at: node.at,
    ...(source !== undefined && source !== '' && { source }),
    target: target ?? '',
    isReadOnly: mode.split(',').includes('ro'),
    hasSubpath: false,
    sizeBytes: null,
  }
}

function parseLong(node: ComposeNode): Mount {
  const read = (key: string): string | undefined => textOf(member(node, key))?.text
  const type = read('type') ?? 'volume'
  const source = read('source')
  const size = textOf(member(member(node, 'tmpfs'), 'size'))?.text
  return {
    kind: Object.hasOwn(kinds, type) ? (kinds[type] ?? 'other') : 'other',
    type,
    at: node.at,
    ...(source !== undefined && source !== '' && { source }),
    target: read('target') ?? '',
    isReadOnly: isTrue(member(node, 'read_only')),
    hasSubpath: member(member(node, 'volume'), 'subpath') !== undefined,
    sizeBytes: size === undefined ? null : sizeInBytes(size),
  }
}
