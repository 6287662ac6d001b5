import { mkdir, rm } from 'node:fs/promises'
import type { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import type { Router } from '../../router/router.ts'
import { createMutex } from '../../util/mutex.ts'
import type { InstanceNumbers } from '../host/instance/instance-numbers.ts'
import { instanceVerbs } from '../host/instance-target.ts'
import { readLog } from '../host/log/read-log.ts'
import { createAddressNumbers, numberRanges } from '../host/network/address-numbers.ts'
import type { HomeNetwork } from '../host/network/home-network.ts'
import type { Guarantees, Target } from '../target.ts'
import type { DockerContext } from './docker-context.ts'
import { dockerPaths } from './docker-paths.ts'
import type { DockerEngine } from './engine/docker-engine.ts'
import { createUserLookup } from './image/container-user.ts'
import { createEngineImages } from './image/engine-images.ts'
import { adoptInstances } from './instance/adopt-instances.ts'
import { createDockerDriver } from './instance/docker-driver.ts'
import { asLabels, homeLabel, lookLabel } from './instance/labels.ts'
import { watchExits } from './instance/watch-exits.ts'

export interface DockerTargetOptions {
  /** The Basalt home. One docker target at a time uses it. */
  readonly home: string
  readonly engine: DockerEngine
  readonly network: HomeNetwork
  readonly numbers: InstanceNumbers
  readonly router: Router
  readonly content: ContentStore
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of what goes wrong while nobody waits. */
  readonly report?: (problem: BasaltError) => void
}

export interface DockerTarget extends Target {
  /** What an earlier server left is adopted. Rejects when that failed: the target is of no use then. */
  readonly ready: Promise<void>
  /** Lets go of the instances, which run on until the next target of this home adopts them. */
  close(): void
  /** Ends and removes every instance, and all else that the Engine has of this home. Volumes and logs stay. */
  shutdown(): Promise<void>
}

export const dockerGuarantees: Guarantees = {
  atomicSwitch: true,
  sealedGenerations: true,
  drains: true,
  survivesServer: true,
  readOnlyRoot: true,
}

/** Instances as containers of this machine's Docker Engine. Adopts what an earlier server left, before its first answer. */
export function createDockerTarget(options: DockerTargetOptions): DockerTarget {
  const context = createContext(options)
  const { engine, images, instances, network } = context
  const ready = open(context)
  // Whoever calls first gets the failure; without a caller it must not end the process.
  ready.catch(() => {})
  const verbs = instanceVerbs(context, ready)

  const stopHealth = (): void => {
    for (const { health } of instances.values()) health?.stop()
  }
  const close = async (): Promise<void> => {
    stopHealth()
    const endWatch = await ready
    endWatch()
    stopHealth()
  }

  return {
    ...verbs,
    name: 'docker',
    guarantees: dockerGuarantees,
    ready: ready.then(() => {}),

    async prepare(groups, op) {
      await ready
      for (const group of groups) context.groups.set(group.id, group)
      await Promise.all(groups.map(({ image }) => images.ensure(image, op)))
    },
    async *logs(id, { follow, tail }, op) {
      await ready
      const container = instances.get(id)?.container ?? null
      if (container !== null) yield* engine.logs(container, { follow, tail, signal: op.signal })
      else yield* readLog({ path: context.paths.log(id), isOpen: () => false }, { follow, tail }, op.signal)
    },

    close() {
      close().catch(() => {})
    },
    async shutdown() {
      await verbs.stopAll()
      await close()
      await images.removeAll()
      await engine.removeNetwork(network.plan.bridge)
      await rm(context.paths.instances, { recursive: true, force: true })
    },
  }
}

/** Resolves, once everything is adopted, with the way to end watching it. */
async function open(context: DockerContext): Promise<() => void> {
  const { engine, network, paths } = context
  await engine.check()
  await mkdir(paths.instances, { recursive: true, mode: 0o700 })
  network.sealPorts()
  await adoptInstances(context)
  return watchExits(context)
}

function createContext(options: DockerTargetOptions): DockerContext {
  const paths = dockerPaths(options.home)
  const context: DockerContext = {
    ...options,
    driver: createDockerDriver(() => context),
    paths,
    images: createEngineImages(options.engine, options.content, paths.images),
    userOf: createUserLookup(options.engine, asLabels(lookLabel(options.home))),
    addresses: createAddressNumbers(numberRanges.docker),
    homeLabel: homeLabel(options.home),
    report: options.report ?? (() => {}),
    instances: new Map(),
    groups: new Map(),
    exitListeners: new Set(),
    volumes: createMutex(),
  }
  return context
}
