import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId, InstanceId } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import type { BasaltError } from '../../errors.ts'
import type { RoutedGroup, Router } from '../../router/router.ts'
import type { Mutex } from '../../util/mutex.ts'
import type { RunInside } from './health/probe.ts'
import { groupOf, type HomePaths, numberOfInstance } from './home-paths.ts'
import type { Instance } from './instance/instance.ts'

/** What targets on this machine have in common: they ask their instances' health and tell the router themselves. */
export interface InstanceContext<I extends Instance> {
  readonly driver: InstanceDriver<I>
  readonly router: Router
  readonly paths: HomePaths
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of what goes wrong while nobody waits. */
  readonly report: (problem: BasaltError) => void
  /** Every instance that is not removed, ended ones included. */
  readonly instances: Map<InstanceId, I>
  /** Groups by id, from the moment that they are spoken of: the router has to know a need's ports. */
  readonly groups: Map<GroupId, GroupSpec>
  readonly exitListeners: Set<(instance: InstanceId) => void>
  /** Held while a volume's writers are looked at and a new one is registered. */
  readonly volumes: Mutex
}

/** What differs: how an instance is made, ended and asked about. */
export interface InstanceDriver<I extends Instance> {
  /** Asks for the truth, and notes the end of those that do not run any more. */
  confirmAlive(instances: readonly I[]): Promise<void>
  /** Registers new instances and begins to start them. All of them come to rest before a failure is told. */
  launch(group: GroupSpec, count: number, op: Op): Promise<void>
  /** Signal, patience, SIGKILL. Resolves when it has ended; rejects with `runtime.failed` when it does not. */
  end(instance: I, signal: string, graceMs: number): Promise<void>
  /** Removes every trace of an ended instance but its log and its volumes. */
  remove(instance: I): Promise<void>
  runInside(instance: I, ...command: Parameters<RunInside>): ReturnType<RunInside>
  /** It was healthy for the first time: to be known by the next server too. */
  noteHealthy(instance: I): void
  /** The last lines that it wrote. */
  lastLines(instance: I, count: number): Promise<readonly string[]>
  /** Why its command did not come to run; null when it did. */
  neverRan(instance: I): Promise<BasaltError | null>
}

/** Oldest first. */
export const instancesOf = <I extends Instance>(
  { instances }: Pick<InstanceContext<I>, 'instances'>,
  group: GroupId,
): readonly I[] =>
  [...instances.values()]
    .filter(({ id }) => groupOf(id) === group)
    .toSorted((a, b) => numberOfInstance(a.id) - numberOfInstance(b.id))

export const routedGroup = ({ id, environment, run }: GroupSpec): RoutedGroup => ({
  id,
  environment,
  ports: run.ports,
})
