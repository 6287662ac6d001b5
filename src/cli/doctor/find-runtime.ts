import type { Finding, Machine, RuntimeTrial } from './probe.ts'

type RuntimeMachine = Pick<Machine, 'userId' | 'run' | 'tryRuntimes'>

/**
 * What the server would choose, by really starting a container: the version alone does not say whether this kernel's
 * cgroups suit a runtime.
 */
export async function findRuntime(machine: RuntimeMachine): Promise<Finding> {
  if (machine.userId !== 0) return withoutRoot(machine)
  const trials = await machine.tryRuntimes()
  const works = trials.find((trial) => trial.works)
  const failures = trials.filter((trial) => !trial.works).map(failure)
  return works === undefined
    ? { state: 'missing', detail: failures.join('; ') }
    : { state: 'found', detail: [nameOf(works), ...failures].join('; ') }
}

const nameOf = ({ candidate }: RuntimeTrial): string =>
  candidate.hidesUnifiedHierarchy ? `${candidate.program} without cgroup v2` : candidate.program

const failure = (trial: RuntimeTrial): string =>
  trial.isInstalled
    ? `${nameOf(trial)} failed: ${trial.problem.split('\n').at(-1)}`
    : `${trial.candidate.program} is not installed`

async function withoutRoot(machine: RuntimeMachine): Promise<Finding> {
  for (const name of ['crun', 'runc'])
    if ((await machine.run(name, '--version')) !== null)
      return {
        state: 'poor',
        detail: `${name} is installed; a trial start needs root`,
        remedy: 'See whether it works: sudo basalt doctor',
      }
  return { state: 'missing', detail: 'neither crun nor runc is installed' }
}
