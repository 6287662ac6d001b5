import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId, InstanceId } from '../../core/ids.ts'
import type { BasaltError } from '../../errors.ts'
import type { ImageRoots } from '../../images/image-roots.ts'
import type { Router } from '../../router/router.ts'
import type { Mutex } from '../../util/mutex.ts'
import type { HostFacts } from './bundle/bundle.ts'
import type { Instance } from './instance/instance.ts'
import type { InstanceNumbers } from './instance/instance-numbers.ts'
import type { KeeperLauncher } from './instance/keeper.ts'
import { groupOf, type LocalPaths, numberOfInstance } from './local-paths.ts'
import type { LocalNetwork } from './network/local-network.ts'
import type { OciRuntime } from './runtime/oci-runtime.ts'

/** What the verbs of the local target share. */
export interface LocalContext {
  readonly paths: LocalPaths
  readonly network: LocalNetwork
  readonly runtime: OciRuntime
  readonly roots: Pick<ImageRoots, 'root'>
  readonly router: Router
  readonly host: HostFacts
  readonly numbers: InstanceNumbers
  readonly keepers: KeeperLauncher
  /** The compiled seccomp filter for these capabilities, base64; null where the runtime takes none. */
  readonly seccompFilter: (capabilities: readonly string[]) => Promise<string | null>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of what goes wrong while nobody waits. */
  readonly report: (problem: BasaltError) => void
  /** Every instance that is not removed, ended ones included. */
  readonly instances: Map<InstanceId, Instance>
  /** Groups by id, from the moment that they are spoken of: the router has to know a need's ports. */
  readonly groups: Map<GroupId, GroupSpec>
  readonly exitListeners: Set<(instance: InstanceId) => void>
  /** Held while a volume's writers are looked at and a new one is registered. */
  readonly volumes: Mutex
}

/** Oldest first. */
export const instancesOf = (context: LocalContext, group: GroupId): readonly Instance[] =>
  [...context.instances.values()]
    .filter(({ id }) => groupOf(id) === group)
    .toSorted((a, b) => numberOfInstance(a.id) - numberOfInstance(b.id))

export const routedGroup = ({ id, environment, run }: GroupSpec) => ({ id, environment, ports: run.ports })
