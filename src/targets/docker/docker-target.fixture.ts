import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageDigest, InstanceId } from '../../core/ids.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import type { Router } from '../../router/router.ts'
import { numbersFile } from '../host/home-paths.ts'
import { createInstanceNumbers } from '../host/instance/instance-numbers.ts'
import { type HomeNetwork, openHomeNetwork } from '../host/network/home-network.ts'
import { fakeRouter, missing as localMissing, storeBusybox } from '../local/local-target.fixture.ts'
import { createDockerTarget, type DockerTarget } from './docker-target.ts'
import { type Dockerd, type DockerdOptions, dockerdMissing, openDockerd } from './dockerd.fixture.ts'
import type { DockerEngine } from './engine/docker-engine.ts'
import { openDockerEngine } from './engine/dockerode-engine.ts'
import { containerName } from './instance/container-wish.ts'
import { factsOf, homeLabel } from './instance/labels.ts'

/** Why the tests cannot run here, or null. */
export const missing = (): string | null => dockerdMissing() ?? localMissing()

/** One home with a Docker Engine of its own. */
export interface DockerWorld {
  readonly home: string
  readonly dockerd: Dockerd
  readonly engine: DockerEngine
  readonly network: HomeNetwork
  readonly target: DockerTarget
  readonly image: ImageDigest
  /** Another target of the same home, as after a restart of the server. */
  reopen(): Promise<DockerTarget>
  /** IPv4 address of an instance, as its container's labels say. */
  address(instance: InstanceId): Promise<string>
  /** The name of its container. */
  container(instance: InstanceId): string
  close(): Promise<void>
}

export type MakeRouter = (
  home: string,
  network: HomeNetwork['routerNetwork'],
) => Promise<Router & { shutdown?(): Promise<void> }>

export async function openDockerWorld(
  makeRouter: MakeRouter = fakeRouter,
  options: DockerdOptions = {},
): Promise<DockerWorld> {
  const home = await mkdtemp(join(tmpdir(), 'basalt-docker-'))
  const dockerd = await openDockerd(options)
  const engine = await openDockerEngine(dockerd.socketPath)
  const content = await openContentStore(join(home, 'content'))
  const image = await storeBusybox(content)
  const network = await openHomeNetwork(home)
  const router = await makeRouter(home, network.routerNetwork)
  const numbers = createInstanceNumbers(numbersFile(home))
  const open = () => createDockerTarget({ home, engine, network, numbers, router, content, now: Date.now })
  let target = open()
  return {
    home,
    dockerd,
    engine,
    network,
    get target() {
      return target
    },
    image,
    async reopen() {
      target.close()
      target = open()
      return target
    },
    async address(instance) {
      const found = (await engine.containers(homeLabel(home))).find(
        ({ labels }) => labels['org.basalt.instance'] === instance,
      )
      if (found === undefined) throw new Error(`${instance} has no container`)
      return factsOf(found).address
    },
    container: (instance) => containerName(network.plan.bridge, instance),
    async close() {
      try {
        await target.shutdown()
        await router.shutdown?.()
      } finally {
        await dockerd.close()
        await network.remove()
        await rm(home, { recursive: true, force: true })
      }
    },
  }
}
