import type { GroupSpec } from '../../core/generation.ts'
import type { EnvironmentId, GroupId, InstanceId } from '../../core/ids.ts'
import type { RouteTable } from '../../core/route-table.ts'

export interface MemoryInstance {
  readonly id: InstanceId
  readonly startedAt: number
  readonly state: 'starting' | 'healthy' | 'unhealthy' | 'exited'
  readonly exitCode: number | null
  readonly problem: string | null
}

/** What outlives a server: the instances and routes of a pretended machine. */
export interface MemoryWorld {
  readonly groups: Map<GroupId, { readonly spec: GroupSpec; readonly instances: MemoryInstance[] }>
  readonly routes: Map<EnvironmentId, RouteTable>
  /** The next instance number of each group, so that no id is used twice. */
  readonly numbers: Map<GroupId, number>
}

export const createMemoryWorld = (): MemoryWorld => ({
  groups: new Map(),
  routes: new Map(),
  numbers: new Map(),
})

/** A group without instances is gone. */
export function changeGroup(
  { groups }: MemoryWorld,
  group: GroupId,
  change: (instances: readonly MemoryInstance[]) => readonly MemoryInstance[],
): void {
  const held = groups.get(group)
  if (held === undefined) return
  const instances = change(held.instances)
  if (instances.length === 0) groups.delete(group)
  else groups.set(group, { spec: held.spec, instances: [...instances] })
}

export const changeInstance = (
  world: MemoryWorld,
  instance: InstanceId,
  change: Partial<MemoryInstance>,
): void =>
  changeGroup(world, instance.slice(0, instance.lastIndexOf('.')) as GroupId, (instances) =>
    instances.map((one) => (one.id === instance ? { ...one, ...change } : one)),
  )
