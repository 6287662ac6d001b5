/** The program that makes containers, and how it has to be called on this machine. */
export interface OciRuntime {
  readonly name: string
  /** First line of `--version`. */
  readonly version: string
  /** Why this one was chosen, for `doctor`. */
  readonly reason: string
  /** The whole command line for these arguments, program first. */
  command(args: readonly string[]): readonly string[]
  /**
   * The same in two parts, for who starts it often: what comes before a program's command line to give it the mounts
   * that the runtime needs (nothing where it needs none of its own), and the command line for a program that has them.
   */
  readonly surroundings: readonly string[]
  inside(args: readonly string[]): readonly string[]
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
  surroundings: surroundingsOf(candidate),
  inside: (args) => insideOf(candidate, args),
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
const ownMounts = ['unshare', '--mount', '--propagation', 'slave']
const withoutUnified = [...ownMounts, 'sh', '-c', `umount ${unifiedHierarchy} && exec "$@"`, 'sh']

export const commandOf = (candidate: RuntimeCandidate, args: readonly string[]): readonly string[] => [
  ...surroundingsOf(candidate),
  ...insideOf(candidate, args),
]

const surroundingsOf = ({ hidesUnifiedHierarchy }: RuntimeCandidate): readonly string[] =>
  hidesUnifiedHierarchy ? withoutUnified : []

const insideOf = ({ program }: RuntimeCandidate, args: readonly string[]): readonly string[] => [
  program,
  ...(program === 'crun' ? ['--cgroup-manager=cgroupfs'] : []),
  ...args,
]
