import { type BigIntStats, lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { isAbsolute, join, relative, sep } from 'node:path'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { BasaltError } from '../../../errors.ts'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import type { FileState } from '../../../util/tar-entry.ts'
import type { IgnoreRules, Matches } from './dockerignore.ts'

/** A file, folder or link of a build context, as it is on disk now. */
export interface ContextEntry {
  /** Below the context, with `/`. */
  readonly path: string
  /** On this machine. */
  readonly file: string
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Of a link, as it is written; nothing ever follows it. */
  readonly target: string
  /** 0755 or 0644, as git keeps them; 0777 for links. */
  readonly mode: number
  readonly sizeBytes: number
  readonly state: FileState
}

const entriesPerTurn = 512

/**
 * The absolute path of a folder of the project, links followed. Rejects with `build.path-missing` and, where it leads
 * out of the project, `build.path-escapes`.
 */
export function projectPath(folder: string, path: string, what: string): string {
  let real: string
  try {
    real = realpathSync.native(join(folder, path))
  } catch (cause) {
    throw new BasaltError('build.path-missing', {
      message: `${what} ${path} does not exist in ${folder}`,
      remedy: `Correct \`build\` in basalt.yaml, or create it.`,
      details: { path },
      cause,
    })
  }
  const way = relative(realpathSync.native(folder), real)
  if (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return real
  throw new BasaltError('build.path-escapes', {
    message: `${what} ${path} is outside the folder of basalt.yaml`,
    remedy: 'Name one inside it, or move basalt.yaml up.',
    details: { path },
  })
}

/** Lists a context, folders before what is in them, names in the order of their bytes. Links are not followed. */
export async function walkContext(
  root: string,
  rules: IgnoreRules,
  signal: AbortSignal,
): Promise<readonly ContextEntry[]> {
  const found: ContextEntry[] = []
  let sinceYield = 0

  async function visitFolder(folder: string, above: Matches, pending: ContextEntry[]): Promise<void> {
    for (const name of sortBytewise(readdirSync(join(root, folder)))) {
      const path = folder === '' ? name : `${folder}/${name}`
      const entry = entryAt(`${root}/${path}`, path)
      // Docker leaves sockets out as well.
      if (entry === null) continue
      const { matches, ignored } = rules.match(path, above)
      if (++sinceYield >= entriesPerTurn) {
        sinceYield = 0
        await yieldToEventLoop()
        signal.throwIfAborted()
      }
      if (entry.kind === 'directory') {
        // An ignored folder is there for what is taken back in it, and only then.
        if (!ignored) found.push(...pending.splice(0), entry)
        else if (!rules.mayTakeBack(path)) continue
        const waiting = ignored ? [...pending, entry] : []
        const before = found.length
        await visitFolder(path, matches, waiting)
        if (ignored && found.length > before) pending.length = 0
      } else if (!ignored) found.push(...pending.splice(0), entry)
    }
  }

  await visitFolder('', rules.top, [])
  return found
}

function entryAt(file: string, path: string): ContextEntry | null {
  const stats = lstatSync(file, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined)
    throw new BasaltError('build.failed', {
      message: `${file} was listed but cannot be found: it was just removed, or its name is not valid UTF-8`,
      details: { path },
    })
  if (stats.isSocket()) return null
  const kind = kindOf(stats)
  if (kind === null)
    throw new BasaltError('build.failed', {
      message: `${file} is a pipe or device, which a build context cannot have`,
      remedy: 'Remove it, or list it in .dockerignore.',
      details: { path },
    })
  const { size, dev, ino, mtimeNs, ctimeNs } = stats
  return {
    path,
    file,
    kind,
    target: kind === 'symlink' ? readlinkSync(file) : '',
    mode: kind === 'symlink' ? 0o777 : kind === 'directory' || (stats.mode & 0o100n) !== 0n ? 0o755 : 0o644,
    sizeBytes: kind === 'file' ? Number(size) : 0,
    state: { device: dev, inode: ino, mtimeNs, ctimeNs },
  }
}

function kindOf(stats: BigIntStats): ContextEntry['kind'] | null {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  return stats.isSymbolicLink() ? 'symlink' : null
}
