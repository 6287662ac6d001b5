import type { GroupId } from '../../../core/ids.ts'
import { identityText } from '../../../util/process-identity.ts'
import type { RoutedGroup } from '../../router.ts'
import { chooseSlots, edgeKind } from '../choose-slots.ts'
import { edgeMap } from '../edge-map.ts'
import { files, latencyTable } from '../haproxy-config.ts'
import { type HaproxySocket, replaceMap, tell } from '../haproxy-socket.ts'
import { parseLatencyTable } from '../latency-table.ts'
import type { RouterContext } from '../router-context.ts'
import { type GroupRecord, groupEntries, type RouterState, withGroup } from '../router-state.ts'
import { addressRanges, chooseAddress } from '../service-address.ts'
import type { SlotCounts, SlotName } from '../slot-name.ts'
import { slotCountersOf } from './traffic.ts'

/** Makes a record, with an address and slots, for each of the groups that has none yet. */
export async function knowGroups(context: RouterContext, groups: readonly RoutedGroup[]): Promise<void> {
  if (groups.every(({ id }) => isKnown(context.state(), id))) return
  const { process } = await context.supervisor.ensure()
  let next = context.state()
  const made: GroupId[] = []
  for (const group of groups) {
    if (isKnown(next, group.id)) continue
    next = withNewGroup(context, next, group, process.slots)
    made.push(group.id)
  }
  const slots = made.flatMap((id) => next.groups[id]?.slots ?? []).map(({ slot }) => slot)
  const baselines = await baselinesOf(context, slots)
  for (const id of made) {
    const group = next.groups[id]
    if (group !== undefined) next = withGroup(next, id, { ...group, baseline: baselines(group) })
  }
  await changeEdges(context, next)
}

export const changeEdges = (context: RouterContext, next: RouterState): Promise<void> =>
  context.change(next, (socket) => replaceMap(socket, files.edges, edgeMap(next)))

const isKnown = (state: RouterState, id: GroupId): boolean => state.groups[id]?.forgotten === false

/** One that was forgotten, but whose address is answered by another, has that address again. */
function withNewGroup(
  { network }: RouterContext,
  state: RouterState,
  group: RoutedGroup,
  counts: SlotCounts,
): RouterState {
  const before = state.groups[group.id]
  const { slots, nextSlot } = chooseSlots(state, group.ports, counts)
  const taken = new Set(groupEntries(state).map(([, other]) => other.address))
  const range = addressRanges(network.serviceRange)[edgeKind(group.ports)]
  const made: GroupRecord = {
    environment: group.environment,
    ports: group.ports,
    address: before?.address ?? chooseAddress(group.id, range, taken),
    slots,
    members: {},
    handedTo: before?.handedTo ?? null,
    forgotten: false,
    leaving: false,
    baseline: { process: '', counters: {} },
  }
  return { ...withGroup(state, group.id, made), nextSlot }
}

/** What the slots' earlier groups have counted is not the new ones'. */
const baselinesOf = (
  context: RouterContext,
  slots: readonly SlotName[],
): Promise<(group: GroupRecord) => GroupRecord['baseline']> =>
  context.ask(async ({ process, socket }) => {
    const counters = await slotCountersOf(socket, slots)
    const used = slots.filter((slot) => (counters.get(slot)?.requests ?? 0) > 0)
    if (used.length > 0) await clearLatencies(socket, new Set(used))
    return (group) => ({
      process: identityText(process.identity),
      counters: Object.fromEntries(
        group.slots.flatMap(({ slot }) => {
          const counted = counters.get(slot)
          return counted === undefined ? [] : [[slot, counted]]
        }),
      ),
    })
  })

async function clearLatencies(socket: HaproxySocket, slots: ReadonlySet<SlotName>): Promise<void> {
  const rows = parseLatencyTable(await socket.ask(`show table ${latencyTable}`))
  await Promise.all(
    rows
      .filter(({ slot }) => slots.has(slot))
      .map(({ key }) => tell(socket, `clear table ${latencyTable} key ${key}`, /^$|in use/)),
  )
}
