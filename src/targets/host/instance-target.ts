import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import type { RouteTable } from '../../core/route-table.ts'
import type { EntryPort } from '../../router/router.ts'
import type { Target } from '../target.ts'
import { createGroupTurns } from './group/group-turns.ts'
import { observeGroups } from './group/observe-groups.ts'
import { startGroup } from './group/start-group.ts'
import { stopGroup } from './group/stop-group.ts'
import type { Instance } from './instance/instance.ts'
import { type InstanceContext, routedGroup } from './instance-context.ts'
import { loggedInstances } from './log/rotate-log.ts'

type SharedVerbs = Required<
  Pick<Target, 'observe' | 'start' | 'route' | 'stop' | 'open' | 'logged' | 'traffic' | 'handOver' | 'onExit'>
>

export interface InstanceVerbs extends SharedVerbs {
  /** Ends and removes every instance. */
  stopAll(): Promise<void>
}

/**
 * What all targets on this machine do alike.
 *
 * @param ready resolves when what an earlier server left is adopted; no verb begins before
 */
export function instanceVerbs<I extends Instance>(
  context: InstanceContext<I>,
  ready: Promise<unknown>,
): InstanceVerbs {
  const turns = createGroupTurns()
  const stop = (group: GroupId, op: Op, keep?: number): Promise<void> =>
    turns.stop(group, () => stopGroup(context, group, op, keep))
  return {
    ...routerVerbs(context, ready),
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
    logged: (group) => loggedInstances(context.paths.groupLogs(group)),
    onExit(listener) {
      context.exitListeners.add(listener)
      return () => context.exitListeners.delete(listener)
    },
    async stopAll() {
      await ready
      const groups = new Set([...context.instances.values()].map(({ record }) => record.group.id))
      await Promise.all([...groups].map((group) => stop(group, { signal: new AbortController().signal })))
    },
  }
}

/** What the router answers for. */
function routerVerbs<I extends Instance>(
  { router, groups }: InstanceContext<I>,
  ready: Promise<unknown>,
): Pick<SharedVerbs, 'open' | 'route' | 'traffic' | 'handOver'> {
  return {
    async open(table, op) {
      await ready
      await router.open(entryPortsOf(table), op)
    },
    async route(table, op) {
      await ready
      await router.open(entryPortsOf(table), op)
      await router.switch(table, op)
    },
    traffic: (environment, op) => router.traffic(environment, op),
    async handOver(from: GroupId, to: GroupSpec, op) {
      await ready
      groups.set(to.id, to)
      await router.handOver(from, routedGroup(to), op)
    },
  }
}

function entryPortsOf(table: RouteTable): readonly EntryPort[] {
  const ports = new Map<number, EntryPort>()
  for (const { entryPort, kind } of table.entries) ports.set(entryPort, { port: entryPort, protocol: kind })
  return [...ports.values()]
}
