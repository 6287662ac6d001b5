import type { GroupSpec } from '../core/generation.ts'
import type { EnvironmentId, GroupId, InstanceId } from '../core/ids.ts'
import type { Observation } from '../core/observation.ts'
import type { Op } from '../core/op.ts'
import type { RouteTable } from '../core/route-table.ts'

/** Where instances run. All methods may be called at the same time for different groups. */
export interface Target {
  readonly name: string
  readonly guarantees: Guarantees
  /**
   * Present where targets share a router: for all that name the same one, a table that one of them routes is routed, and
   * groups of all of them may stand in it. So an environment moves between them by the one switch.
   */
  readonly router?: string

  /**
   * Does beforehand what starting these groups needs and nobody notices: brings their images where they run.
   * Idempotent; starts nothing.
   */
  prepare(groups: readonly GroupSpec[], op: Op): Promise<void>

  /** The truth about one environment, never a cache. */
  observe(environment: EnvironmentId, op: Op): Promise<Observation>

  /**
   * Makes a group have at least `group.replicas` healthy instances: tops up what is missing, replaces what is dead
   * or unhealthy, touches nothing that is healthy. What it replaces goes when the new ones are healthy; of a
   * stateful group it goes before they start, as a volume never has two writers. Idempotent by id, also while
   * another start of the group is under way.
   *
   * Resolves when all are healthy. Rejects with `group.unhealthy` or `group.died` (details: {group,
   * lastLogLines}), and has then removed what it launched, so that failing tries do not add up; what had not to
   * go first is as it was. A start that was aborted may leave what it launched to the next `start` or `stop`.
   */
  start(group: GroupSpec, op: Op): Promise<void>

  /** The one switch: replaces the environment's whole table at once. In-flight requests finish where they are. */
  route(table: RouteTable, op: Op): Promise<void>

  /**
   * Takes a group's instances out of traffic, waits for requests in flight (at most the op's deadline or the
   * group's grace), ends them and removes every trace. `keep` leaves that many, or all that are alive where there
   * are fewer: healthy ones first, then those that are starting, then unhealthy ones, the oldest of each first.
   * Stopping what is absent is success.
   *
   * Ends every start of the group that was called before and is under way: it rejects, and nothing of it is left.
   */
  stop(group: GroupId, op: Op, keep?: number): Promise<void>

  /**
   * Present where ways in can be had beforehand. Makes the target answer at all that a table names, so that a port of
   * another program is found before anything starts. Changes nothing that is served; idempotent. Rejects with
   * `port.taken`.
   */
  open?(table: RouteTable, op: Op): Promise<void>

  /** Present where the target can read what instances wrote. */
  logs?(instance: InstanceId, options: LogOptions, op: Op): AsyncIterable<LogLine>

  /** Present where logs outlive their instances: those of a group whose log is kept, the newest last. */
  logged?(group: GroupId, op: Op): Promise<readonly InstanceId[]>

  /** Present where traffic is counted: since the router started, per environment. */
  traffic?(environment: EnvironmentId, op: Op): Promise<TrafficFigures>

  /**
   * Present where names outlive instances. Called before `stop(from)` of a stateful group: whatever is said to
   * `from`'s name reaches `to` as soon as that is healthy, also after `from` was stopped, until `from` starts
   * again or `to` is stopped.
   */
  handOver?(from: GroupId, to: GroupSpec, op: Op): Promise<void>

  /** Calls back when an instance ends by itself. Returns the way to stop watching. */
  onExit?(listener: (instance: InstanceId) => void): () => void
}

/** What a target promises. A plan shows whatever is not promised before anybody confirms it. */
export interface Guarantees {
  /** All routes of an environment change in one step. */
  readonly atomicSwitch: boolean
  /** A service name resolves only to groups of its own generation. */
  readonly sealedGenerations: boolean
  /** Requests in flight finish on the old generation. */
  readonly drains: boolean
  /** Instances go on while the server is gone. */
  readonly survivesServer: boolean
  /** The root of an instance cannot be written, not even by root inside. */
  readonly readOnlyRoot: boolean
}

export interface LogOptions {
  readonly follow: boolean
  /** Lines from the end to begin with; null: all that is kept. */
  readonly tail: number | null
}

export interface LogLine {
  /** Milliseconds since the epoch when the line was read; null where the target does not know. */
  readonly at: number | null
  readonly text: string
}

export interface TrafficFigures {
  readonly entry: RequestFigures
  readonly groups: Readonly<Record<GroupId, RequestFigures>>
}

export interface RequestFigures {
  readonly requests: number
  /** Answers 5xx and connections that got none. */
  readonly failed: number
  /** Milliseconds; null before there is a sample. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}
