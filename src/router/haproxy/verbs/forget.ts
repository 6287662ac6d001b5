import type { GroupId } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import { edgeMap } from '../edge-map.ts'
import { forgotten } from '../group-changes.ts'
import { files } from '../haproxy-config.ts'
import { replaceMap } from '../haproxy-socket.ts'
import type { RouterContext } from '../router-context.ts'
import { type GroupRecord, memberEntries, type RouterState } from '../router-state.ts'
import { plus } from '../slot-counters.ts'
import { removeServer } from '../slot-servers.ts'
import { type Counted, entryCounters } from '../traffic-figures.ts'
import { countedBy } from './traffic.ts'

/** Only inside `exclusively`. */
export async function forgetGroups(context: RouterContext, ids: readonly GroupId[]): Promise<void> {
  const state = context.state()
  const leaving = [...new Set(ids)].flatMap((id) => {
    const group = state.groups[id]
    return group === undefined || group.forgotten ? [] : [[id, group] as const]
  })
  if (leaving.length === 0) return
  for (const [id] of leaving) assertUnrouted(state, id)
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
}

function assertUnrouted(state: RouterState, id: GroupId): void {
  const table = Object.values(state.tables).find(({ entries }) => entries.some(({ group }) => group === id))
  if (table === undefined) return
  throw new BasaltError('router.failed', {
    message: `${id} cannot be forgotten: ${table.environment} routes to it`,
    details: { group: id, environment: table.environment },
  })
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
