import type { ImageRoots } from '../../images/image-roots.ts'
import type { InstanceNumbers } from '../host/instance/instance-numbers.ts'
import type { InstanceContext } from '../host/instance-context.ts'
import type { HostFacts } from './bundle/bundle.ts'
import type { KeeperLauncher } from './instance/keeper.ts'
import type { LocalInstance } from './instance/local-instance.ts'
import type { LocalPaths } from './local-paths.ts'
import type { LocalNetwork } from './network/local-network.ts'
import type { OciRuntime } from './runtime/oci-runtime.ts'

/** What the verbs of the local target share. */
export interface LocalContext extends InstanceContext<LocalInstance> {
  readonly paths: LocalPaths
  readonly network: LocalNetwork
  readonly runtime: OciRuntime
  readonly roots: Pick<ImageRoots, 'root'>
  readonly host: HostFacts
  readonly numbers: InstanceNumbers
  readonly keepers: KeeperLauncher
  /** The compiled seccomp filter for these capabilities, base64; null where the runtime takes none. */
  readonly seccompFilter: (capabilities: readonly string[]) => Promise<string | null>
}
