/** The program that makes containers, and how it has to be called on this machine. */
export interface OciRuntime {
  readonly name: string
  /** First line of `--version`. */
  readonly version: string
  /** Why this one was chosen, for `doctor`. */
  readonly reason: string
  /** The whole command line for these arguments, program first. */
  command(args: readonly string[]): readonly string[]
}

/** What a trial start has found. Plain data. */
export interface RuntimeChoice {
  readonly candidate: RuntimeCandidate
  readonly version: string
  readonly reason: string
}

export const ociRuntime = ({ candidate, version, reason }: RuntimeChoice): OciRuntime => ({
  name: candidate.program,
  version,
  reason,
  command: (args) => commandOf(candidate, args),
})

export interface RuntimeCandidate {
  readonly program: 'crun' | 'runc'
  /**
   * crun refuses a hybrid cgroup layout (version 1 with version 2 mounted beside it). It works in a mount
   * namespace of its own where that second hierarchy is unmounted.
   */
  readonly hidesUnifiedHierarchy: boolean
}

export const unifiedHierarchy = '/sys/fs/cgroup/unified'
// Slave: what the host unmounts later (a root, a network namespace) goes away in here too.
const ownMounts = ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c']
const hideUnified = `umount ${unifiedHierarchy} && exec "$@"`

export function commandOf(candidate: RuntimeCandidate, args: readonly string[]): readonly string[] {
  const options = candidate.program === 'crun' ? ['--cgroup-manager=cgroupfs'] : []
  const plain = [candidate.program, ...options, ...args]
  return candidate.hidesUnifiedHierarchy ? [...ownMounts, hideUnified, 'sh', ...plain] : plain
}
