import { lstatSync, readFileSync, type Stats, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { ExecResult, exec as realExec } from '../util/exec.ts'

/** The last commit that touched some inputs. */
export interface LastChange {
  /** Seconds since the epoch. */
  readonly time: number
  /** Null outside git, or when no commit has the paths. */
  readonly revision: string | null
  /** What a person should know, in sentences. */
  readonly warnings: readonly string[]
}

export interface SourcePorts {
  readonly exec: typeof realExec
  /** For SOURCE_DATE_EPOCH and PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** 2000-01-01T00:00:00Z: the time of sources without history. Not 1970, which many tools take for "unknown". */
const timeWithoutHistory = 946_684_800

/** What git knows of a folder. Asked once for each run: several images are built from one folder. */
export interface Source {
  /** Of paths relative to the folder; none at all have no history. */
  lastChange(paths: readonly string[]): Promise<LastChange>
  /** The paths differ from HEAD, untracked files included, ignored ones not. `except` does not count. */
  isDirty(paths: readonly string[], except?: string): Promise<boolean>
  /** No commit has the path yet, and git does not ignore it. */
  isNew(path: string): Promise<boolean>
}

/**
 * Asks git about a folder. Outside git, or before the first commit of the paths, the time is SOURCE_DATE_EPOCH
 * (reproducible-builds.org) or 2000-01-01.
 */
export async function openSource(folder: string, ports: SourcePorts, op: Op): Promise<Source> {
  const withoutHistory = { time: epochOf(ports.environment), revision: null, warnings: [] }
  const checkout = checkoutOf(folder)
  if (checkout === null)
    return { lastChange: async () => withoutHistory, isDirty: async () => false, isNew: async () => false }
  const run = (...args: readonly string[]): Promise<ExecResult> => runGit(checkout, args, ports, op)
  const git = async (...args: readonly string[]): Promise<string> => {
    const result = await run(...args)
    if (result.exitCode !== 0) throw failed(folder, result)
    return result.stdout
  }

  const [facts, head] = await Promise.all([
    git('rev-parse', '--is-shallow-repository', '--git-path', 'shallow', '--show-prefix'),
    run('rev-parse', '--quiet', '--verify', 'HEAD'),
  ])
  const isEmpty = head.exitCode !== 0
  const [isShallow = '', shallowFile = '', prefix = ''] = facts.split('\n')
  /** Of every changed path its name in the repository, after its state. */
  const changes = async (paths: readonly string[]): Promise<readonly string[]> =>
    (await git('status', '--porcelain', '-z', '--', ...paths)).split('\0').filter((line) => line !== '')
  return {
    async lastChange(paths) {
      if (isEmpty || paths.length === 0) return withoutHistory
      const log = await git('log', '-1', '--format=%H %ct', '--', ...paths)
      const [revision = '', time] = log.trim().split(' ')
      if (time === undefined) return withoutHistory
      const atBoundary = isShallow === 'true' && isBoundary(revision, join(folder, shallowFile))
      return { time: Number(time), revision, warnings: atBoundary ? [shallowWarning(folder)] : [] }
    },
    isDirty: async (paths, except) => {
      if (paths.length === 0) return false
      const excepted = except === undefined ? '' : `${prefix}${except}`
      return isEmpty || (await changes(paths)).some((change) => change.slice('XY '.length) !== excepted)
    },
    // Untracked, or added and not committed.
    isNew: async (path) => /^(?:\?\?|A)/.test(await git('status', '--porcelain', '--', path)),
  }
}

interface Checkout {
  readonly folder: string
  /** As whom git may run what the checkout's configuration names; null: as the server itself. */
  readonly owner: { readonly uid: number; readonly gid: number } | null
}

/** Null outside git. */
function checkoutOf(folder: string): Checkout | null {
  for (let top = folder; ; top = dirname(top)) {
    const repository = lstatSync(join(top, '.git'), { throwIfNoEntry: false })
    if (repository !== undefined)
      return { folder, owner: ownerOf([repository, statSync(top), statSync(folder)]) }
    if (dirname(top) === top) return null
  }
}

/** The first that is not root: a folder of root below /tmp may find itself in a repository that anybody made there. */
const ownerOf = (places: readonly Stats[]): Checkout['owner'] =>
  process.getuid?.() === 0 ? (places.find(({ uid }) => uid !== 0) ?? null) : null

function epochOf(environment: SourcePorts['environment']): number {
  const text = environment['SOURCE_DATE_EPOCH'] ?? ''
  return /^\d{1,11}$/.test(text) ? Number(text) : timeWithoutHistory
}

/**
 * A checkout's own configuration can name programs for git to run. A server that is root runs git as the owner of the
 * checkout, so that those programs can do no more than their owner; and what would run on reading alone is switched
 * off. Where git runs as root it still refuses by itself what is not all root's (a worktree of another's repository).
 */
function runGit(
  { folder, owner }: Checkout,
  args: readonly string[],
  ports: SourcePorts,
  op: Op,
): Promise<ExecResult> {
  const settings = [
    ...(owner === null ? [] : [['safe.directory', '*'] as const]),
    ['core.fsmonitor', 'false'],
    ['core.hooksPath', '/dev/null'],
    ['core.untrackedCache', 'false'],
  ] as const
  const configuration = settings.flatMap(([key, value], index): [string, string][] => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  const env = {
    PATH: ports.environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: String(settings.length),
    GIT_LITERAL_PATHSPECS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    ...Object.fromEntries(configuration),
  }
  const asOwner =
    owner === null ? [] : ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups']
  const [file = 'git', ...rest] = [...asOwner, 'git', '-C', folder, ...args]
  return ports.exec(file, rest, { env, op })
}

function isBoundary(revision: string, shallowFile: string): boolean {
  try {
    return readFileSync(shallowFile, 'utf8').split('\n').includes(revision)
  } catch {
    return false
  }
}

const shallowWarning = (folder: string): string =>
  `${folder} is a shallow clone that ends where its inputs last changed: their real commit may be older, and images of a full clone differ. Fetch the history: git fetch --unshallow`

const failed = (folder: string, { exitCode, stderr }: ExecResult): BasaltError =>
  exitCode === 127
    ? new BasaltError('host.tool-missing', {
        message: 'the program git is not installed',
        remedy: 'Install it: apt-get install git',
        details: { tool: 'git' },
      })
    : new BasaltError('build.failed', {
        message: `git cannot tell the state of ${folder}: ${stderr.trim()}`,
        remedy: 'See what `git status` says there.',
        details: { folder, exitCode },
      })
