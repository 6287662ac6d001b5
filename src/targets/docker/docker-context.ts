import type { ContentStore } from '../../images/content-store.ts'
import type { InstanceNumbers } from '../host/instance/instance-numbers.ts'
import type { InstanceContext } from '../host/instance-context.ts'
import type { AddressNumbers } from '../host/network/address-numbers.ts'
import type { HomeNetwork } from '../host/network/home-network.ts'
import type { DockerPaths } from './docker-paths.ts'
import type { DockerEngine } from './engine/docker-engine.ts'
import type { UserLookup } from './image/container-user.ts'
import type { EngineImages } from './image/engine-images.ts'
import type { DockerInstance } from './instance/docker-instance.ts'

/** What the verbs of the docker target share. */
export interface DockerContext extends InstanceContext<DockerInstance> {
  readonly home: string
  readonly engine: DockerEngine
  readonly paths: DockerPaths
  readonly network: HomeNetwork
  readonly content: ContentStore
  readonly images: EngineImages
  readonly userOf: UserLookup
  readonly numbers: InstanceNumbers
  readonly addresses: AddressNumbers
  /** What all containers of this home carry: `name=value`. */
  readonly homeLabel: string
}
