import { mkdir } from 'node:fs/promises'
import type { GroupSpec } from '../../core/generation.ts'
import type { BasaltError } from '../../errors.ts'
import type { ImageRoots } from '../../images/image-roots.ts'
import type { Router } from '../../router/router.ts'
import { createMutex } from '../../util/mutex.ts'
import type { InstanceNumbers } from '../host/instance/instance-numbers.ts'
import { instancesOf } from '../host/instance-context.ts'
import { instanceVerbs } from '../host/instance-target.ts'
import { readLog } from '../host/log/read-log.ts'
import type { Guarantees, Target } from '../target.ts'
import { mountPointsOf } from './group/launch-plan.ts'
import { readHostFacts } from './host-facts.ts'
import { adoptInstances, removeStrayEvents } from './instance/adopt-instances.ts'
import { createKeeperLauncher } from './instance/keeper.ts'
import { createLocalDriver } from './instance/local-driver.ts'
import { removeCgroups } from './instance/remove-instance.ts'
import { watchInstances } from './instance/watch-instances.ts'
import type { LocalContext } from './local-context.ts'
import { localPaths } from './local-paths.ts'
import type { LocalNetwork } from './network/local-network.ts'
import { openRunFolder, removeRunFolder } from './run-folder.ts'
import type { OciRuntime } from './runtime/oci-runtime.ts'
import { createSeccompFilters } from './runtime/seccomp-filters.ts'

export interface LocalTargetOptions {
  /** The Basalt home. One local target at a time uses it. */
  readonly home: string
  readonly network: LocalNetwork
  readonly numbers: InstanceNumbers
  readonly runtime: OciRuntime
  readonly router: Router
  readonly roots: Pick<ImageRoots, 'root'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of what goes wrong while nobody waits. */
  readonly report?: (problem: BasaltError) => void
}

export interface LocalTarget extends Target {
  /** What an earlier server left is adopted. Rejects when that failed: the target is of no use then. */
  readonly ready: Promise<void>
  /** Lets go of the instances, which run on until the next target of this home adopts them. */
  close(): void
  /** Ends and removes every instance. The home's network, volumes, logs and roots stay. */
  shutdown(): Promise<void>
}

/** Instances as OCI containers on this machine. Adopts what an earlier server left, before its first answer. */
export function createLocalTarget(options: LocalTargetOptions): LocalTarget {
  const context = createContext(options)
  const ready = open(context)
  // Whoever calls first gets the failure; without a caller it must not end the process.
  ready.catch(() => {})
  const verbs = instanceVerbs(context, ready)

  const close = async (): Promise<void> => {
    for (const { health } of context.instances.values()) health?.stop()
    context.keepers.close()
    const endWatch = await ready
    endWatch()
    for (const { health } of context.instances.values()) health?.stop()
  }

  return {
    ...verbs,
    name: 'local',
    guarantees: localGuarantees,
    ready: ready.then(() => {}),

    async prepare(groups, op) {
      await ready
      for (const group of groups) context.groups.set(group.id, group)
      context.network.pool.foresee(missingInstances(context, groups))
      await Promise.all(groups.map((group) => context.roots.root(group.image, mountPointsOf(group), op)))
    },
    async *logs(id, logOptions, op) {
      await ready
      const isOpen = () => context.instances.get(id)?.end === null
      yield* readLog({ path: context.paths.log(id), isOpen }, logOptions, op.signal)
    },

    close() {
      close().catch(() => {})
    },
    async shutdown() {
      await verbs.stopAll()
      await close()
      await removeTraces(context)
    },
  }
}

export const localGuarantees: Guarantees = {
  atomicSwitch: true,
  sealedGenerations: true,
  drains: true,
  survivesServer: true,
  readOnlyRoot: true,
}

/** Resolves, once everything is adopted, with the way to end watching it. */
async function open(context: LocalContext): Promise<() => void> {
  // Tells the next server, whatever happens from here on, that there may be something to remove.
  await mkdir(context.paths.logs, { recursive: true, mode: 0o700 })
  await openRunFolder(context.paths.run)
  await adoptInstances(context)
  await removeStrayEvents(context)
  return await watchInstances(context)
}

/** What no instance needs any more. */
async function removeTraces({ network, paths }: LocalContext): Promise<void> {
  await network.pool.close()
  await removeCgroups(paths.cgroup)
  await removeRunFolder(paths.run)
}

function createContext(options: LocalTargetOptions): LocalContext {
  const paths = localPaths(options.home, options.network.home.plan.key)
  const host = readHostFacts()
  const context: LocalContext = {
    ...options,
    driver: createLocalDriver(() => context),
    paths,
    host,
    seccompFilter: createSeccompFilters(options.runtime, host.architecture, paths.runtimeState),
    keepers: createKeeperLauncher(),
    report: options.report ?? (() => {}),
    instances: new Map(),
    groups: new Map(),
    exitListeners: new Set(),
    volumes: createMutex(),
  }
  return context
}

const missingInstances = (context: LocalContext, groups: readonly GroupSpec[]): number =>
  groups.reduce((sum, { id, replicas }) => sum + Math.max(0, replicas - instancesOf(context, id).length), 0)
