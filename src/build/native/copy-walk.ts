import { type BigIntStats, lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { CopySpec } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import type { FileState } from '../../util/tar-entry.ts'
import { type Ignored, ignoreRules } from './ignore-rules.ts'

/** A file, folder or link below a copied path, as it is on disk now. */
export interface WalkedEntry {
  /** Relative to the copied path; empty for the copied path itself. */
  readonly path: string
  /** On this machine, for reading. */
  readonly file: string
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Of a symbolic link. */
  readonly target: string
  readonly facts: FileFacts
}

/** What lstat says, as far as it matters. */
export interface FileFacts extends FileState {
  readonly mode: number
  readonly sizeBytes: number
}

/** Other work gets its turn after so many entries: the system calls here are synchronous, for speed. */
const entriesPerTurn = 512

/**
 * Lists what a copy takes, parents before children, without following links. Rejects with `build.path-missing`,
 * `build.path-escapes`, and `build.failed` for what cannot be in an image.
 */
export async function walkCopy(
  folder: string,
  spec: Pick<CopySpec, 'from' | 'ignore'>,
  signal: AbortSignal,
): Promise<readonly WalkedEntry[]> {
  const root = copyRoot(folder, spec.from)
  const place = { root, from: spec.from }
  const top = visit(root, '', place, lstatOf(root))
  if (top.kind !== 'directory') return [top]

  const ignored = ignoreRules(spec.ignore, root === realpathSync.native(folder))
  const found: WalkedEntry[] = [top]
  const pending: string[] = ['']
  let sinceYield = 0
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    for (const entry of children(place, path, ignored)) {
      found.push(entry)
      if (entry.kind === 'directory') pending.push(entry.path)
      sinceYield += 1
    }
    if (sinceYield < entriesPerTurn) continue
    sinceYield = 0
    await yieldToEventLoop()
    signal.throwIfAborted()
  }
  return found
}

interface CopyPlace {
  readonly root: string
  /** As the recipe names it, for messages. */
  readonly from: string
}

function* children(place: CopyPlace, path: string, ignored: Ignored): Generator<WalkedEntry> {
  for (const name of readdirSync(join(place.root, path))) {
    const below = path === '' ? name : `${path}/${name}`
    const file = `${place.root}/${below}`
    const stats = lstatOf(file)
    if (!ignored(below, stats.isDirectory())) yield visit(file, below, place, stats)
  }
}

/** The copied path with all links followed; inside the folder of basalt.yaml. */
function copyRoot(folder: string, from: string): string {
  const wanted = join(folder, from)
  if (isAbsolute(from) || !isInside(folder, wanted))
    throw escapes(from, 'is outside the folder of basalt.yaml')
  let real: string
  try {
    real = realpathSync.native(wanted)
  } catch (cause) {
    throw new BasaltError('build.path-missing', {
      message: lstatSync(wanted, { throwIfNoEntry: false })?.isSymbolicLink()
        ? `${from} is a link to ${readlinkSync(wanted)}, which does not exist`
        : `${from} does not exist in ${folder}`,
      remedy: 'Correct `copy.from` in basalt.yaml, or create the path.',
      details: { path: from },
      cause,
    })
  }
  if (!isInside(realpathSync.native(folder), real))
    throw escapes(from, `is a link to ${real}, outside the folder of basalt.yaml`)
  return real
}

function visit(file: string, path: string, place: CopyPlace, stats: BigIntStats): WalkedEntry {
  const facts = factsOf(stats)
  if (stats.isFile()) return { path, file, kind: 'file', target: '', facts }
  if (stats.isDirectory()) return { path, file, kind: 'directory', target: '', facts }
  if (stats.isSymbolicLink())
    return { path, file, kind: 'symlink', target: linkTarget(file, path, place), facts }
  throw new BasaltError('build.failed', {
    message: `${file} is a socket, pipe or device, which an image cannot have`,
    remedy: 'Remove it, or list it under `ignore`.',
    details: { path: join(place.from, path) },
  })
}

const factsOf = ({ mode, size, dev, ino, mtimeNs, ctimeNs }: BigIntStats): FileFacts => ({
  mode: Number(mode),
  sizeBytes: Number(size),
  device: dev,
  inode: ino,
  mtimeNs,
  ctimeNs,
})

function lstatOf(file: string): BigIntStats {
  try {
    return lstatSync(file, { bigint: true })
  } catch (cause) {
    throw new BasaltError('build.failed', {
      message: `${file} was listed but cannot be found: it was just removed, or its name is not valid UTF-8`,
      details: { path: file },
      cause,
    })
  }
}

/** A link is kept as it is, and must lead to a place that is copied with it. */
function linkTarget(file: string, path: string, { root, from }: CopyPlace): string {
  const target = readlinkSync(file)
  const shown = join(from, path)
  if (isAbsolute(target)) throw escapes(shown, `is a link to the absolute path ${target}`)
  if (!isInside(root, realTarget(`${dirname(file)}/${target}`))) {
    throw escapes(shown, `is a link to ${target}, outside the copied folder`)
  }
  return target
}

/**
 * Where the kernel would end up; what does not exist counts as a plain name in the deepest folder that does.
 * Only the native function will do: the other one takes `folder/..` away before it looks whether `folder` is a link.
 */
function realTarget(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realTarget(parent), basename(path))
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
}

const escapes = (path: string, fact: string): BasaltError =>
  new BasaltError('build.path-escapes', {
    message: `${path} ${fact}`,
    remedy:
      'Copy only what lies inside the folder of basalt.yaml; list the link under `ignore`, or replace it by a file.',
    details: { path },
  })
