import type { EnvironmentId, GroupId, InstanceId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { RouteTable } from '../core/route-table.ts'
import type { Port } from '../core/system.ts'
import type { TrafficFigures } from '../targets/target.ts'

/**
 * Traffic made real: the ways into each environment and the edges between the groups of a generation.
 * Survives the server; a new one adopts it.
 */
export interface Router {
  /**
   * Runs the router if it does not run and makes it answer at these host ports. Rejects with `port.taken`
   * (naming port and program) when another program holds one. Nothing that is served is disturbed.
   */
  open(entryPorts: readonly EntryPort[], op: Op): Promise<void>

  /**
   * The IPv4 address by which other instances know a group: all its ports answer there. Stable for as long
   * as the group is known; works before the group has instances (connections are refused until then).
   */
  address(group: RoutedGroup): Promise<string>

  /** Lets an instance receive traffic of its group. Idempotent. */
  join(group: RoutedGroup, instance: InstanceId, address: string, op: Op): Promise<void>

  /**
   * No new requests for it; resolves when none is in flight or `drainMs` is over, then forgets it. Open tcp sessions
   * of a group that was handed over are cut after a moment: its clients wait for the successor. Idempotent.
   */
  leave(group: GroupId, instance: InstanceId, drainMs: number, op: Op): Promise<void>

  /**
   * Everything said under `from`'s address goes to `to` from now on. Outlives `forget(from)`: the address stays
   * taken until `to` is forgotten; ends when an instance joins `from` again. `to` may have no instances yet.
   * A `from` that is not known has no address to hand over: success.
   */
  handOver(from: GroupId, to: RoutedGroup, op: Op): Promise<void>

  /**
   * Forgets a group that has no instances: its address and slots are free again; if a table routes to it, as soon as
   * none does any more. Idempotent.
   */
  forget(group: GroupId, op: Op): Promise<void>

  /** The one switch, a single transaction for the whole table. */
  switch(table: RouteTable, op: Op): Promise<void>

  /** What is really routed, asked from the running router; null when nothing is. */
  routes(environment: EnvironmentId, op: Op): Promise<RouteTable | null>

  /** Instances that can receive traffic, by group, asked from the running router. */
  members(op: Op): Promise<ReadonlyMap<GroupId, readonly InstanceId[]>>

  traffic(environment: EnvironmentId, op: Op): Promise<TrafficFigures>
}

export interface EntryPort {
  readonly port: number
  readonly protocol: 'http' | 'tcp'
}

export interface RoutedGroup {
  readonly id: GroupId
  readonly environment: EnvironmentId
  readonly ports: readonly Port[]
}
