import type { EnvironmentId, GroupId, InstanceId } from './ids.ts'
import type { RouteTable } from './route-table.ts'

/** What is really there, asked now and never remembered. */
export interface Observation {
  readonly environment: EnvironmentId
  /** Every group with at least one instance (dead ones that are not removed yet included), sorted by id. */
  readonly groups: readonly ObservedGroup[]
  /** What the router really routes; null when nothing is routed for the environment. */
  readonly routes: RouteTable | null
}

export interface ObservedGroup {
  readonly id: GroupId
  readonly service: string
  /** Names of the volumes that it may write. */
  readonly volumes: readonly string[]
  readonly instances: readonly ObservedInstance[]
}

export interface ObservedInstance {
  readonly id: InstanceId
  readonly state: 'starting' | 'healthy' | 'unhealthy' | 'exited'
  /** 0-255, 128 + signal when killed; null while it runs or when unknown. */
  readonly exitCode: number | null
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** The last failed check or the reason of death, for people; null when there is none. */
  readonly problem: string | null
}
