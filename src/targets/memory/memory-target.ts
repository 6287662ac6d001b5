import type { GroupSpec } from '../../core/generation.ts'
import { type EnvironmentId, type GroupId, type InstanceId, instanceId } from '../../core/ids.ts'
import type { Observation } from '../../core/observation.ts'
import type { Op } from '../../core/op.ts'
import type { RouteTable } from '../../core/route-table.ts'
import { BasaltError } from '../../errors.ts'
import type { Target } from '../target.ts'
import type { MemoryInstance, MemoryWorld } from './memory-world.ts'

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
}

/** Instances that only exist in memory: for the simulator, for tests, and for trying a plan without a machine. */
export function createMemoryTarget(options: MemoryTargetOptions): MemoryTarget {
  const { world, now } = options
  const listeners = new Set<(instance: InstanceId) => void>()

  async function call(description: MemoryCall, op: Op, effect: () => void): Promise<void> {
    await options.before?.(description, op)
    if (op.signal.aborted) throw aborted()
    effect()
    await options.after?.(description, op)
  }

  const update = (
    group: GroupId,
    change: (instances: readonly MemoryInstance[]) => readonly MemoryInstance[],
  ) => {
    const held = world.groups.get(group)
    if (held === undefined) return
    const instances = change(held.instances)
    if (instances.length === 0) world.groups.delete(group)
    else world.groups.set(group, { spec: held.spec, instances: [...instances] })
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

    start: (group, op) => call({ verb: 'start', group }, op, () => topUp(world, group, now())),

    route: (table, op) =>
      call({ verb: 'route', table }, op, () => {
        refuseConflicts(world, table)
        if (table.entries.length === 0) world.routes.delete(table.environment)
        else world.routes.set(table.environment, table)
      }),

    stop: (group, op, keep = 0) =>
      call({ verb: 'stop', group }, op, () =>
        update(group, (instances) => instances.filter(({ state }) => state === 'healthy').slice(0, keep)),
      ),

    onExit(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    kill(instance) {
      const group = instance.slice(0, instance.lastIndexOf('.')) as GroupId
      const dead = { state: 'exited', exitCode: 137, problem: 'killed by signal 9' } as const
      update(group, (instances) => instances.map((one) => (one.id === instance ? { ...one, ...dead } : one)))
      for (const listener of listeners) listener(instance)
    },
  }
}

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
  const alive = (world.groups.get(group.id)?.instances ?? []).filter(({ state }) => state === 'healthy')
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
