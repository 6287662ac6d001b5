import type { GroupId } from '../../../core/ids.ts'
import { edgeMap } from '../edge-map.ts'
import { forgotten } from '../group-changes.ts'
import { files } from '../haproxy-config.ts'
import { replaceMap } from '../haproxy-socket.ts'
import type { RouterContext } from '../router-context.ts'
import {
  type GroupRecord,
  groupEntries,
  memberEntries,
  type RouterState,
  withGroup,
} from '../router-state.ts'
import { plus } from '../slot-counters.ts'
import { removeServer } from '../slot-servers.ts'
import { type Counted, entryCounters } from '../traffic-figures.ts'
import { closeUnusedPorts } from './open.ts'
import { countedBy } from './traffic.ts'

type KnownGroup = readonly [GroupId, GroupRecord]

/** Those that a table routes to go with the next switch. Only inside `exclusively`. */
export async function forgetGroups(context: RouterContext, ids: readonly GroupId[]): Promise<void> {
  const state = context.state()
  const routed = routedGroups(state)
  const known = [...new Set(ids)].flatMap((id): readonly KnownGroup[] => {
    const group = state.groups[id]
    return group === undefined || group.forgotten ? [] : [[id, group]]
  })
  const staying = known.filter(([id]) => routed.has(id))
  if (staying.length > 0) await context.record(withLeaving(state, staying))
  await forgetUnrouted(
    context,
    known.filter(([id]) => !routed.has(id)),
  )
}

/** After a switch. Only inside `exclusively`. */
export async function forgetLeft(context: RouterContext): Promise<void> {
  const state = context.state()
  const routed = routedGroups(state)
  await forgetUnrouted(
    context,
    groupEntries(state).filter(([id, { leaving }]) => leaving && !routed.has(id)),
  )
}

const routedGroups = (state: RouterState): ReadonlySet<GroupId> =>
  new Set(Object.values(state.tables).flatMap(({ entries }) => entries.map(({ group }) => group)))

const withLeaving = (state: RouterState, groups: readonly KnownGroup[]): RouterState =>
  groups.reduce((next, [id, group]) => withGroup(next, id, { ...group, leaving: true }), state)

async function forgetUnrouted(context: RouterContext, leaving: readonly KnownGroup[]): Promise<void> {
  if (leaving.length === 0) return
  const groups = leaving.map(([, group]) => group)
  const counted = await context.ask((running) => countedBy(running, groups))
  let next = context.state()
  for (const [id, group] of leaving)
    next = { ...forgotten(next, id), retired: withRetired(next.retired, group, counted) }

  await context.change(next, async (socket) => {
    await replaceMap(socket, files.edges, edgeMap(next))
    await Promise.all(
      groups.flatMap((group) =>
        group.slots.flatMap(({ slot }) =>
          memberEntries(group).map(([instance]) => removeServer(socket, slot, instance)),
        ),
      ),
    )
  })
  await closeUnusedPorts(context)
}

/** An environment's figures keep what a forgotten group has counted. */
function withRetired(
  retired: RouterState['retired'],
  group: GroupRecord,
  counted: Counted,
): RouterState['retired'] {
  const own = entryCounters(group, counted)
  const before = retired[group.environment]
  const sum = before?.process === counted.process ? plus(before, own) : own
  return { ...retired, [group.environment]: { process: counted.process, ...sum } }
}
