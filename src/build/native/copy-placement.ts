import { posix } from 'node:path'
import type { CopySpec } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import { sortBytewise } from '../../util/sort-bytewise.ts'
import type { TarEntry } from '../../util/tar-entry.ts'
import type { WalkedEntry } from './copy-walk.ts'
import type { ImagePaths } from './image-paths.ts'

/** An entry of the layer, and what on disk it stands for (nothing: a folder that `to` implies). */
export interface Member {
  readonly entry: TarEntry
  readonly source: WalkedEntry | null
}

/** What decides where the parts of a copy go, and how. */
export interface Placement {
  readonly spec: CopySpec
  /** What lies below: decides which folders exist already, and where links such as `bin` lead. */
  readonly lower: ImagePaths
  /** Seconds since the epoch, for every entry. */
  readonly mtime: number
}

/** The entries of a copy's layer, sorted by path. */
export function placeCopy(walked: readonly WalkedEntry[], inputs: Placement): readonly Member[] {
  const { spec, lower } = inputs
  const top = walked[0]
  const isFolder = top?.kind === 'directory'
  const named = !isFolder && spec.to.endsWith('/') ? posix.join(spec.to, posix.basename(spec.from)) : spec.to
  const destination = lower.real(posix.join('/', named).slice(1))
  if (!isFolder && (destination === '' || lower.find(destination)?.kind === 'directory')) {
    throw new BasaltError('build.failed', {
      message: `${spec.from} is a file, but ${spec.to} is a folder in the image`,
      remedy: `Write the full path that the file has in the image: ${posix.join(spec.to, posix.basename(spec.from))}`,
    })
  }

  const members = new Map<string, Member>()
  const folders = new Map<string, string>()
  for (const parent of missingParents(destination, lower)) {
    members.set(parent, { entry: { ...impliedFolder, path: parent, mtime: inputs.mtime }, source: null })
  }
  for (const source of walked) {
    const path = placedPath(source.path, folders, destination)
    if (source.kind === 'directory') {
      const real = lower.real(path)
      folders.set(source.path, real)
      if (real === '' || lower.find(real)?.kind === 'directory') continue
    }
    members.set(path, { entry: entryOf(source, path, inputs), source })
  }
  return sortBytewise([...members.keys()]).flatMap((path) => members.get(path) ?? [])
}

const impliedFolder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } as const

/** Below wherever its folder went. Without the functions of `path`, as this is done for every file of a copy. */
function placedPath(path: string, folders: ReadonlyMap<string, string>, destination: string): string {
  if (path === '') return destination
  const slash = path.lastIndexOf('/')
  const folder = folders.get(slash === -1 ? '' : path.slice(0, slash)) ?? destination
  const name = path.slice(slash + 1)
  return folder === '' ? name : `${folder}/${name}`
}

function missingParents(path: string, lower: ImagePaths): readonly string[] {
  const parents: string[] = []
  for (let parent = posix.dirname(path); parent !== '.' && parent !== '/'; parent = posix.dirname(parent)) {
    const found = lower.find(parent)
    if (found?.kind === 'directory') break
    if (found !== null) {
      throw new BasaltError('build.failed', {
        message: `/${path} cannot be copied: /${parent} is a file in the image`,
      })
    }
    parents.push(parent)
  }
  return parents
}

function entryOf(source: WalkedEntry, path: string, { spec, mtime }: Placement): TarEntry {
  const member = { path, uid: spec.uid, gid: spec.gid, mtime }
  switch (source.kind) {
    case 'directory':
      return { ...member, kind: 'directory', mode: folderMode(spec.mode) }
    case 'symlink':
      return { ...member, kind: 'symlink', mode: 0o777, target: source.target }
    case 'file': {
      const { sizeBytes, mode } = source.facts
      const content = { file: source.file, offset: 0, sizeBytes, expected: source.facts }
      return { ...member, kind: 'file', mode: spec.mode ?? ((mode & 0o100) === 0 ? 0o644 : 0o755), content }
    }
  }
}

/** A folder gets x where files get r. */
const folderMode = (mode: number | null): number => (mode === null ? 0o755 : mode | ((mode & 0o444) >> 2))
