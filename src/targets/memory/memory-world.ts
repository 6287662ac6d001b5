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
