import type { GroupSpec } from '../../core/generation.ts'
import { type EnvironmentId, type GroupId, type InstanceId, instanceId } from '../../core/ids.ts'
import type { Observation } from '../../core/observation.ts'
import type { Op } from '../../core/op.ts'
import type { RouteTable } from '../../core/route-table.ts'
import { BasaltError } from '../../errors.ts'
import type { Target } from '../target.ts'
import { changeGroup, changeInstance, type MemoryInstance, type MemoryWorld } from './memory-world.ts'

export type MemoryCall =
  | { readonly verb: 'prepare' }
  | { readonly verb: 'start'; readonly group: GroupSpec }
  | { readonly verb: 'route'; readonly table: RouteTable }
  | { readonly verb: 'stop'; readonly group: GroupId }

export interface MemoryTargetOptions {
  readonly world: MemoryWorld
  readonly now: () => number
  /** Runs before a call takes effect: may wait, or throw to make it fail. */
  readonly before?: (call: MemoryCall, op: Op) => Promise<void>
  /** Runs after a call took effect: throwing here loses the answer of a done action. */
  readonly after?: (call: MemoryCall, op: Op) => Promise<void>
}

export interface MemoryTarget extends Target {
  /** Ends an instance as a crash would. */
  kill(instance: InstanceId): void
  /** Makes an instance unhealthy that goes on running. */
  spoil(instance: InstanceId): void
}

/** Instances that only exist in memory: for the simulator, for tests, and for trying a plan without a machine. */
export function createMemoryTarget(options: MemoryTargetOptions): MemoryTarget {
  const { world, now } = options
  const listeners = new Set<(instance: InstanceId) => void>()
  /** How often each group was stopped: a start that was under way then has no effect. */
  const stops = new Map<GroupId, number>()

  async function call(description: MemoryCall, op: Op, effect: () => void): Promise<void> {
    await options.before?.(description, op)
    if (op.signal.aborted) throw aborted()
    effect()
    await options.after?.(description, op)
  }

  return {
    name: 'memory',
    guarantees: {
      atomicSwitch: true,
      sealedGenerations: true,
      drains: true,
      survivesServer: true,
      readOnlyRoot: true,
    },

    prepare: (_groups, op) => call({ verb: 'prepare' }, op, () => {}),

    observe: async (environment) => observed(world, environment),

    start(group, op) {
      const stopsBefore = stops.get(group.id)
      return call({ verb: 'start', group }, op, () => {
        if (stops.get(group.id) !== stopsBefore) throw aborted()
        topUp(world, group, now())
      })
    },

    route: (table, op) =>
      call({ verb: 'route', table }, op, () => {
        refuseConflicts(world, table)
        if (table.entries.length === 0) world.routes.delete(table.environment)
        else world.routes.set(table.environment, table)
      }),

    stop(group, op, keep = 0) {
      stops.set(group, (stops.get(group) ?? 0) + 1)
      return call({ verb: 'stop', group }, op, () =>
        changeGroup(world, group, (instances) =>
          staying.flatMap((state) => inState(instances, state)).slice(0, keep),
        ),
      )
    },

    onExit(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    kill(instance) {
      changeInstance(world, instance, { state: 'exited', exitCode: 137, problem: 'killed by signal 9' })
      for (const listener of listeners) listener(instance)
    },

    spoil: (instance) => changeInstance(world, instance, { state: 'unhealthy', problem: 'its checks fail' }),
  }
}

/** Who stays first when not all can. */
const staying = ['healthy', 'starting', 'unhealthy'] as const

const inState = (
  instances: readonly MemoryInstance[],
  state: MemoryInstance['state'],
): readonly MemoryInstance[] => instances.filter((instance) => instance.state === state)

function observed(world: MemoryWorld, environment: EnvironmentId): Observation {
  const groups = [...world.groups.values()]
    .filter(({ spec }) => spec.environment === environment)
    .map(({ spec: { id, service, run }, instances }) => ({
      id,
      service,
      volumes: run.volumes.map(({ name }) => name),
      instances: [...instances],
    }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return { environment, groups, routes: world.routes.get(environment) ?? null }
}

function topUp(world: MemoryWorld, group: GroupSpec, at: number): void {
  refuseSecondWriter(world, group)
  const alive = inState(world.groups.get(group.id)?.instances ?? [], 'healthy')
  const fresh = Array.from({ length: Math.max(0, group.replicas - alive.length) }, (): MemoryInstance => {
    const number = (world.numbers.get(group.id) ?? 0) + 1
    world.numbers.set(group.id, number)
    return {
      id: instanceId(group.id, number),
      startedAt: at,
      state: 'healthy',
      exitCode: null,
      problem: null,
    }
  })
  world.groups.set(group.id, { spec: group, instances: [...alive, ...fresh] })
}

function refuseSecondWriter(world: MemoryWorld, group: GroupSpec): void {
  for (const volume of group.run.volumes) {
    for (const { spec } of world.groups.values()) {
      const shares = spec.run.volumes.some(({ name }) => name === volume.name)
      if (spec.id === group.id || spec.environment !== group.environment || !shares) continue
      throw new BasaltError('volume.in-use', {
        message: `volume ${volume.name} of ${group.environment} is still written by ${spec.id}`,
        remedy: `Stop ${spec.id} first.`,
      })
    }
  }
}

function refuseConflicts(world: MemoryWorld, table: RouteTable): void {
  const keyOf = (entry: RouteTable['entries'][number]): string =>
    entry.kind === 'http' ? `${entry.entryPort} ${entry.host} ${entry.path}` : `${entry.entryPort}`
  const wanted = new Set(table.entries.map(keyOf))
  for (const [environment, held] of world.routes) {
    const clash =
      environment === table.environment ? undefined : held.entries.find((entry) => wanted.has(keyOf(entry)))
    if (clash !== undefined) throw conflict(table.environment, environment, keyOf(clash))
  }
}

const conflict = (wanting: EnvironmentId, holding: EnvironmentId, key: string): BasaltError =>
  new BasaltError('route.conflict', {
    message: `${wanting} cannot answer at ${key}: ${holding} already does`,
    remedy: 'Give one of them another host, path or ingress port.',
  })

const aborted = (): BasaltError => new BasaltError('deployment.aborted', { message: 'the call was aborted' })
