import type { EnvironmentId } from '../../../core/ids.ts'
import type { TrafficFigures } from '../../../targets/target.ts'
import { identityText } from '../../../util/process-identity.ts'
import { latencyTable } from '../haproxy-config.ts'
import type { HaproxySocket } from '../haproxy-socket.ts'
import type { Running } from '../haproxy-supervisor.ts'
import { parseLatencyTable } from '../latency-table.ts'
import type { RouterContext } from '../router-context.ts'
import { type GroupRecord, groupEntries } from '../router-state.ts'
import { parseStat, type SlotCounters, slotCounters } from '../slot-counters.ts'
import type { SlotName } from '../slot-name.ts'
import { type Counted, trafficFigures } from '../traffic-figures.ts'

export const traffic = (context: RouterContext, environment: EnvironmentId): Promise<TrafficFigures> =>
  context.ask(async (running) => {
    const groups = groupEntries(context.state())
      .map(([, group]) => group)
      .filter((group) => group.environment === environment)
    return trafficFigures(context.state(), environment, await countedBy(running, groups))
  })

/** What this HAProxy has counted for some groups. */
export async function countedBy(
  { process, socket }: Running,
  groups: readonly GroupRecord[],
): Promise<Counted> {
  const names = groups.flatMap((group) => group.slots.map(({ slot }) => slot))
  const [table, slots] = await Promise.all([
    socket.ask(`show table ${latencyTable}`),
    slotCountersOf(socket, names),
  ])
  return { process: identityText(process.identity), latencies: parseLatencyTable(table), slots }
}

export async function slotCountersOf(
  socket: HaproxySocket,
  slots: readonly SlotName[],
): Promise<ReadonlyMap<SlotName, SlotCounters>> {
  const counters = await Promise.all(
    slots.map(async (slot) => {
      const [row] = parseStat(await socket.ask(`show stat ${slot} 2 -1`))
      return row === undefined ? [] : [[slot, slotCounters(slot, row)] as const]
    }),
  )
  return new Map(counters.flat())
}
