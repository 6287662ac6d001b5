import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { BasaltError } from '../../../errors.ts'
import { exec } from '../../../util/exec.ts'
import { commandOf, type RuntimeCandidate, unifiedHierarchy } from './oci-runtime.ts'
import { trialConfig, trialMountPoints } from './trial-config.ts'

export interface RuntimeTrial {
  readonly candidate: RuntimeCandidate
  readonly works: boolean
  readonly isInstalled: boolean
  /** Empty where it could not be asked. */
  readonly version: string
  /** What the runtime said when it did not work. */
  readonly problem: string
}

export interface TrialOptions {
  readonly candidates?: readonly RuntimeCandidate[]
  /** Of the programs; absent: the caller's. */
  readonly environment?: Readonly<Record<string, string>>
}

const trialTimeoutMs = 10_000

/**
 * Starts a container with one runtime after the other until one works, which is then the last of the trials: crun,
 * which is the quickest, before runc. What a version claims to support does not count.
 */
export async function tryRuntimes(options: TrialOptions = {}): Promise<readonly RuntimeTrial[]> {
  const trials: RuntimeTrial[] = []
  for (const candidate of options.candidates ?? candidatesOf(existsSync(unifiedHierarchy))) {
    const trial = await tryRuntime(candidate, options)
    trials.push(trial)
    if (trial.works) break
  }
  return trials
}

export const candidatesOf = (hybrid: boolean): readonly RuntimeCandidate[] => [
  { program: 'crun', hidesUnifiedHierarchy: hybrid },
  { program: 'runc', hidesUnifiedHierarchy: false },
]

/** Starts a container that runs `true` from the host's own programs. */
async function tryRuntime(candidate: RuntimeCandidate, { environment }: TrialOptions): Promise<RuntimeTrial> {
  const env = environment === undefined ? {} : { env: environment }
  const folder = await mkdtemp(join(tmpdir(), 'basalt-runtime-trial-'))
  try {
    const root = join(folder, 'root')
    const name = basename(folder)
    for (const path of trialMountPoints()) await mkdir(join(root, path), { recursive: true })
    await writeFile(join(folder, 'config.json'), JSON.stringify(trialConfig(root, name)))
    const args = ['--root', join(folder, 'state'), 'run', '--bundle', folder, name]
    const [program = '', ...rest] = commandOf(candidate, args)
    const version = await exec(candidate.program, ['--version'], env)
    const result = await exec(program, rest, { ...env, timeoutMs: trialTimeoutMs })
    return {
      candidate,
      works: result.exitCode === 0,
      isInstalled: true,
      version: version.stdout.split('\n', 1)[0] ?? '',
      problem: result.stderr.trim(),
    }
  } catch (error) {
    if (!(error instanceof BasaltError)) throw error
    const isInstalled = error.code !== 'host.tool-missing'
    const problem = isInstalled ? error.message : 'not installed'
    return { candidate, works: false, isInstalled, version: '', problem }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
