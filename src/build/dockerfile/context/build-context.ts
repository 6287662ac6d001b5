import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import type { DockerfileRecipe } from '../../../core/system.ts'
import { BasaltError } from '../../../errors.ts'
import type { TarEntry } from '../../../util/tar-entry.ts'
import { type HashedContext, hashContext } from './content-hashes.ts'
import { assertSize } from './context-limit.ts'
import { type ContextEntry, projectPath, walkContext } from './context-walk.ts'
import { ignoreRules, readDockerignore } from './dockerignore.ts'

/** What the builder gets, and what identifies it. */
export interface BuildFiles extends HashedContext {
  /** The same for every build of this context: what was sent for one need not be sent again for the next. */
  readonly sharedKey: string
  /** Absolute. */
  readonly root: string
  readonly entries: readonly ContextEntry[]
  /** Relative to the folder of basalt.yaml, for people. */
  readonly dockerfile: string
  readonly dockerfileText: string
}

export interface ContextPorts {
  readonly cacheFolder: string
  readonly contextLimitBytes: number
  readonly now: () => number
}

/**
 * Reads a Dockerfile and lists its context. Rejects with `build.path-missing`, `build.path-escapes`,
 * `build.context-too-large`, and `build.failed` for what cannot be sent.
 */
export async function openContext(
  folder: string,
  recipe: DockerfileRecipe,
  ports: ContextPorts,
  signal: AbortSignal,
): Promise<BuildFiles> {
  const root = projectPath(folder, recipe.context, 'the build context')
  const file = projectPath(folder, join(recipe.context, recipe.dockerfile), 'the Dockerfile')
  const dockerfile = relative(folder, join(folder, recipe.context, recipe.dockerfile))
  const rules = ignoreRules([
    ...leftOut(folder, root),
    ...dockerignoreOf(root, file),
    ...recipe.ignore,
    // A secret that a `COPY . .` takes along is none any more.
    ...recipe.secrets.map(({ file: secret }) => literal(relative(root, join(folder, secret)))),
  ])
  const entries = await walkContext(root, rules, signal)
  assertSize(recipe.context, entries, ports.contextLimitBytes)
  const place = createHash('sha256')
    .update(JSON.stringify([root, recipe.dockerfile, recipe.ignore]))
    .digest('hex')
  const hashed = await hashContext(entries, join(ports.cacheFolder, `context-${place}`), ports.now, signal)
  return { ...hashed, sharedKey: place, root, entries, dockerfile, dockerfileText: textOf(file, dockerfile) }
}

/**
 * Not of Docker: git's own folder, which differs between two clones of one commit, and Basalt's two files, which must
 * not change the image that they describe. `!.git` takes it back.
 */
const leftOut = (folder: string, root: string): readonly string[] => [
  '.git',
  ...['basalt.yaml', 'basalt.lock'].map((name) => literal(relative(root, join(folder, name)))),
]

/** A pattern that matches this path alone. */
const literal = (path: string): string => `/${path.replaceAll(/[\\*?[\]]/g, '\\$&')}`

/** The file of the Dockerfile's own name goes before the context's. */
function dockerignoreOf(root: string, file: string): readonly string[] {
  for (const candidate of [`${file}.dockerignore`, join(root, '.dockerignore')]) {
    try {
      return readDockerignore(readFileSync(candidate, 'utf8'))
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw new BasaltError('build.failed', {
        message: `${candidate} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      })
    }
  }
  return []
}

function textOf(file: string, shown: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new BasaltError('build.failed', {
      message: `${shown} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    })
  }
}

/** The context as members of a tar: all of root's, all of one time, so that it depends on its contents alone. */
export const contextMembers = (
  { entries }: BuildFiles,
  mtime: number,
  except: ReadonlySet<string> = new Set(),
): readonly TarEntry[] =>
  entries
    .filter(({ path }) => !except.has(path))
    .map((entry): TarEntry => {
      const member = { path: entry.path, mode: entry.mode, uid: 0, gid: 0, mtime }
      switch (entry.kind) {
        case 'directory':
          return { ...member, kind: 'directory' }
        case 'symlink':
          return { ...member, kind: 'symlink', target: entry.target }
        case 'file': {
          const { file, sizeBytes, state } = entry
          return { ...member, kind: 'file', content: { file, offset: 0, sizeBytes, expected: state } }
        }
      }
    })

/** A name that no file of the context has. */
export function freeName({ entries }: BuildFiles, wanted: string): string {
  const taken = new Set(entries.map(({ path }) => path))
  let name = wanted
  for (let number = 2; taken.has(name); number++) name = `${wanted}-${number}`
  return basename(name)
}
