import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { BasaltError } from '../../../errors.ts'
import { exec } from '../../../util/exec.ts'
import { commandOf, type RuntimeCandidate, type RuntimeChoice, unifiedHierarchy } from './oci-runtime.ts'
import { trialConfig, trialMountPoints } from './trial-config.ts'

export interface RuntimeTrial {
  readonly candidate: RuntimeCandidate
  readonly works: boolean
  readonly version: string
  /** What the runtime said when it did not work. */
  readonly problem: string
}

const trialTimeoutMs = 10_000

/**
 * The first runtime that really starts a container here: crun, which is the quickest, else runc. What a
 * version claims to support does not count. Rejects with `host.tool-missing` when neither is installed,
 * `runtime.failed` when none works.
 */
export async function chooseRuntime(
  candidates: readonly RuntimeCandidate[] = candidatesOf(existsSync(unifiedHierarchy)),
): Promise<RuntimeChoice> {
  const trials: RuntimeTrial[] = []
  for (const candidate of candidates) {
    const trial = await tryRuntime(candidate)
    trials.push(trial)
    if (!trial.works) continue
    return { candidate, version: trial.version, reason: reasonOf(trials) }
  }
  throw noneWorks(trials)
}

export const candidatesOf = (hybrid: boolean): readonly RuntimeCandidate[] => [
  { program: 'crun', hidesUnifiedHierarchy: hybrid },
  { program: 'runc', hidesUnifiedHierarchy: false },
]

/** Starts a container that runs `true` from the host's own programs. */
async function tryRuntime(candidate: RuntimeCandidate): Promise<RuntimeTrial> {
  const folder = await mkdtemp(join(tmpdir(), 'basalt-runtime-trial-'))
  try {
    const root = join(folder, 'root')
    const name = basename(folder)
    for (const path of trialMountPoints()) await mkdir(join(root, path), { recursive: true })
    await writeFile(join(folder, 'config.json'), JSON.stringify(trialConfig(root, name)))
    const args = ['--root', join(folder, 'state'), 'run', '--bundle', folder, name]
    const [program = '', ...rest] = commandOf(candidate, args)
    const version = await exec(candidate.program, ['--version'])
    const result = await exec(program, rest, { timeoutMs: trialTimeoutMs })
    return {
      candidate,
      works: result.exitCode === 0,
      version: version.stdout.split('\n', 1)[0] ?? '',
      problem: result.stderr.trim(),
    }
  } catch (error) {
    if (!(error instanceof BasaltError) || error.code !== 'host.tool-missing') throw error
    return { candidate, works: false, version: '', problem: 'not installed' }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function reasonOf(trials: readonly RuntimeTrial[]): string {
  const failed = trials.slice(0, -1).map(({ candidate, problem }) => `${candidate.program}: ${problem}`)
  const hides = trials.at(-1)?.candidate.hidesUnifiedHierarchy
    ? `, with ${unifiedHierarchy} unmounted in a mount namespace of its own (the cgroup layout is hybrid)`
    : ''
  return [`a trial start worked${hides}`, ...failed].join('; ')
}

function noneWorks(trials: readonly RuntimeTrial[]): BasaltError {
  const details = { tried: trials.map(({ candidate, problem }) => `${candidate.program}: ${problem}`) }
  if (trials.every(({ version }) => version === ''))
    return new BasaltError('host.tool-missing', {
      message: 'no OCI runtime is installed: neither crun nor runc',
      remedy: 'Install one: apt-get install crun',
      details,
    })
  return new BasaltError('runtime.failed', {
    message: `no OCI runtime can start a container here: ${details.tried.join('; ')}`,
    remedy: 'Run `basalt doctor` as root; it shows each trial.',
    details,
  })
}
