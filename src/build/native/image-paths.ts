import { posix } from 'node:path'
import { opaqueWhiteout, whiteoutPrefix } from '../../images/whiteout.ts'

/** What a layer has at a path, without the content. Paths are relative to the root, without a trailing `/`. */
export interface LayerPath {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink'
  readonly mode: number
  /** Of a symbolic link. */
  readonly target?: string
  /** The content of /etc/passwd, the one file that the builder looks into. */
  readonly text?: string
}

/** The paths of layers stacked on each other, with links followed as they would be inside the image. */
export interface ImagePaths {
  /** What is really at a path after following links; null: nothing, or a loop. */
  find(path: string): LayerPath | null
  /** The path with the links among its existing parts replaced. A last part that does not exist is kept. */
  real(path: string): string
  entries(): Iterable<LayerPath>
}

const maxLinks = 40

/** Stacks layers, the lowest first; whiteouts (OCI image-spec, layer.md) remove what lies below. */
export function stackLayers(layers: readonly (readonly LayerPath[])[]): ImagePaths {
  const stack = new Map<string, LayerPath>()
  for (const layer of layers) {
    for (const { path } of layer) applyWhiteout(stack, path)
    for (const entry of layer) if (!posix.basename(entry.path).startsWith(whiteoutPrefix)) place(stack, entry)
  }
  const follow = (path: string) => followLinks(stack, path)
  return {
    find: (path) => stack.get(follow(path) ?? '\0') ?? null,
    real: (path) => follow(path) ?? path,
    entries: () => stack.values(),
  }
}

function place(stack: Map<string, LayerPath>, entry: LayerPath): void {
  const before = stack.get(entry.path)
  if (before?.kind === 'directory' && entry.kind !== 'directory') removeBelow(stack, entry.path)
  stack.set(entry.path, entry)
}

function applyWhiteout(stack: Map<string, LayerPath>, path: string): void {
  const name = posix.basename(path)
  if (!name.startsWith(whiteoutPrefix)) return
  const folder = posix.dirname(path)
  if (name === opaqueWhiteout) removeBelow(stack, folder === '.' ? '' : folder)
  else {
    const hidden = posix.join(folder, name.slice(whiteoutPrefix.length))
    stack.delete(hidden)
    removeBelow(stack, hidden)
  }
}

function removeBelow(stack: Map<string, LayerPath>, folder: string): void {
  for (const path of stack.keys()) if (folder === '' || path.startsWith(`${folder}/`)) stack.delete(path)
}

/** Walks a path part by part inside the root: `..` never leaves it. Null on a loop of links. */
function followLinks(stack: ReadonlyMap<string, LayerPath>, path: string): string | null {
  const rest = path.split('/')
  let links = 0
  let reached: string[] = []
  while (rest.length > 0) {
    const part = rest.shift()
    if (part === undefined || part === '' || part === '.') continue
    if (part === '..') {
      reached.pop()
      continue
    }
    const next = stack.get([...reached, part].join('/'))
    if (next?.kind !== 'symlink') {
      reached.push(part)
      continue
    }
    links += 1
    if (links > maxLinks) return null
    const target = next.target ?? ''
    if (target.startsWith('/')) reached = []
    rest.unshift(...target.split('/'))
  }
  return reached.join('/')
}
