import { BasaltError } from '../../../errors.ts'
import { type RuntimeCandidate, type RuntimeChoice, unifiedHierarchy } from './oci-runtime.ts'
import { type RuntimeTrial, tryRuntimes } from './try-runtimes.ts'

/**
 * The first runtime that really starts a container here. Rejects with `host.tool-missing` when none is installed,
 * `runtime.failed` when none works.
 */
export async function chooseRuntime(candidates?: readonly RuntimeCandidate[]): Promise<RuntimeChoice> {
  const trials = await tryRuntimes(candidates === undefined ? {} : { candidates })
  const last = trials.at(-1)
  if (last === undefined || !last.works) throw noneWorks(trials)
  return { candidate: last.candidate, version: last.version, reason: reasonOf(trials) }
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
  if (trials.every(({ isInstalled }) => !isInstalled))
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
