import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import type { RouteTable } from '../../core/route-table.ts'
import type { BasaltError } from '../../errors.ts'
import type { ImageRoots } from '../../images/image-roots.ts'
import type { EntryPort, Router } from '../../router/router.ts'
import { createMutex } from '../../util/mutex.ts'
import type { Guarantees, Target } from '../target.ts'
import { createGroupTurns } from './group/group-turns.ts'
import { mountPointsOf } from './group/launch-plan.ts'
import { observeGroups } from './group/observe-groups.ts'
import { startGroup } from './group/start-group.ts'
import { stopGroup } from './group/stop-group.ts'
import { readHostFacts } from './host-facts.ts'
import { adoptInstances, removeStrayEvents } from './instance/adopt-instances.ts'
import { createInstanceNumbers } from './instance/instance-numbers.ts'
import { createKeeperLauncher } from './instance/keeper.ts'
import { removeCgroups } from './instance/remove-instance.ts'
import { watchInstances } from './instance/watch-instances.ts'
import { instancesOf, type LocalContext, routedGroup } from './local-context.ts'
import { localPaths } from './local-paths.ts'
import { readLog } from './log/read-log.ts'
import { loggedInstances } from './log/rotate-log.ts'
import type { LocalNetwork } from './network/local-network.ts'
import { openRunFolder, removeRunFolder } from './run-folder.ts'
import type { OciRuntime } from './runtime/oci-runtime.ts'
import { createSeccompFilters } from './runtime/seccomp-filters.ts'

export interface LocalTargetOptions {
  /** The Basalt home. One local target at a time uses it. */
  readonly home: string
  readonly network: LocalNetwork
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
  /** Ends and removes every instance and the home's network. Volumes, logs and roots stay. */
  shutdown(): Promise<void>
}

/** Instances as OCI containers on this machine. Adopts what an earlier server left, before its first answer. */
export function createLocalTarget(options: LocalTargetOptions): LocalTarget {
  const context = createContext(options)
  const turns = createGroupTurns()
  const ready = open(context)
  // Whoever calls first gets the failure; without a caller it must not end the process.
  ready.catch(() => {})

  const stop = (group: GroupId, op: Op, keep?: number): Promise<void> =>
    turns.stop(group, () => stopGroup(context, group, op, keep))

  const close = async (): Promise<void> => {
    for (const { health } of context.instances.values()) health?.stop()
    context.keepers.close()
    const endWatch = await ready
    await endWatch()
    for (const { health } of context.instances.values()) health?.stop()
  }

  return {
    name: 'local',
    guarantees: localGuarantees,
    ready: ready.then(() => {}),
    ...trafficVerbs(context, ready),

    async prepare(groups, op) {
      await ready
      for (const group of groups) context.groups.set(group.id, group)
      context.network.pool.foresee(missingInstances(context, groups))
      await Promise.all(groups.map((group) => context.roots.root(group.image, mountPointsOf(group), op)))
    },
    async observe(environment, op) {
      await ready
      return observeGroups(context, environment, op)
    },
    async start(group, op) {
      context.groups.set(group.id, group)
      await ready
      await turns.start(group.id, op.signal, (signal) => startGroup(context, group, { ...op, signal }))
    },
    async stop(group, op, keep) {
      await ready
      await stop(group, op, keep)
    },
    async *logs(id, logOptions, op) {
      await ready
      const isOpen = () => context.instances.get(id)?.end === null
      yield* readLog({ path: context.paths.instance(id).log, isOpen }, logOptions, op.signal)
    },
    logged: (group) => loggedInstances(context.paths.groupLogs(group)),
    onExit(listener) {
      context.exitListeners.add(listener)
      return () => context.exitListeners.delete(listener)
    },

    close() {
      close().catch(() => {})
    },
    async shutdown() {
      await ready
      const groups = new Set([...context.instances.values()].map(({ record }) => record.group.id))
      await Promise.all([...groups].map((group) => stop(group, { signal: new AbortController().signal })))
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

/** What the router answers for. */
function trafficVerbs(
  context: LocalContext,
  ready: Promise<unknown>,
): Required<Pick<Target, 'open' | 'route' | 'traffic' | 'handOver'>> {
  return {
    async open(table, op) {
      await ready
      await context.router.open(entryPortsOf(table), op)
    },
    async route(table, op) {
      await ready
      await context.router.open(entryPortsOf(table), op)
      await context.router.switch(table, op)
    },
    traffic: (environment, op) => context.router.traffic(environment, op),
    async handOver(from, to, op) {
      await ready
      context.groups.set(to.id, to)
      await context.router.handOver(from, routedGroup(to), op)
    },
  }
}

/** Resolves, once everything is adopted, with the way to end watching it. */
async function open(context: LocalContext): Promise<() => Promise<void>> {
  await openRunFolder(context.paths.run)
  await adoptInstances(context)
  await removeStrayEvents(context)
  const endInstanceWatch = await watchInstances(context)
  const endNetworkWatch = context.network.watch(context.report)
  return async () => {
    endInstanceWatch()
    await endNetworkWatch()
  }
}

/** What no instance needs any more. */
async function removeTraces({ network, paths }: LocalContext): Promise<void> {
  await network.remove()
  await removeCgroups(paths.cgroup)
  await removeRunFolder(paths.run)
}

function createContext(options: LocalTargetOptions): LocalContext {
  const paths = localPaths(options.home, options.network.plan.key)
  const host = readHostFacts()
  return {
    ...options,
    paths,
    host,
    seccompFilter: createSeccompFilters(options.runtime, host.architecture, paths.runtimeState),
    numbers: createInstanceNumbers(paths.numbers),
    keepers: createKeeperLauncher(),
    report: options.report ?? (() => {}),
    instances: new Map(),
    groups: new Map(),
    exitListeners: new Set(),
    volumes: createMutex(),
  }
}

function entryPortsOf(table: RouteTable): readonly EntryPort[] {
  const ports = new Map<number, EntryPort>()
  for (const { entryPort, kind } of table.entries) ports.set(entryPort, { port: entryPort, protocol: kind })
  return [...ports.values()]
}

const missingInstances = (context: LocalContext, groups: readonly GroupSpec[]): number =>
  groups.reduce((sum, { id, replicas }) => sum + Math.max(0, replicas - instancesOf(context, id).length), 0)
