import type { EnvironmentId, GroupId } from '../../core/ids.ts'
import type { RequestFigures, TrafficFigures } from '../../targets/target.ts'
import { percentileMs } from './latency-buckets.ts'
import type { LatencyRow } from './latency-table.ts'
import { type GroupRecord, groupEntries, type RouterState } from './router-state.ts'
import { minus, noCounters, plus, type SlotCounters } from './slot-counters.ts'
import type { SlotName } from './slot-name.ts'

/** What one HAProxy process has counted so far. */
export interface Counted {
  readonly process: string
  readonly slots: ReadonlyMap<SlotName, SlotCounters>
  readonly latencies: readonly LatencyRow[]
}

/**
 * The figures of an environment since the router started. All counts are exact but one: a request from outside that no
 * instance answered is not told from a request between groups that met the same, so in a group that has both, it is
 * counted as one from outside.
 */
export function trafficFigures(
  state: RouterState,
  environment: EnvironmentId,
  counted: Counted,
): TrafficFigures {
  const groups = groupEntries(state).filter(([, group]) => group.environment === environment)
  const retired = state.retired[environment]
  let entry: SlotCounters = retired?.process === counted.process ? retired : noCounters
  for (const [, group] of groups) entry = plus(entry, entryCounters(group, counted))
  const entrySlots = new Set(groups.flatMap(([, group]) => group.slots.map(({ slot }) => slot)))
  return {
    entry: {
      requests: entry.requests,
      failed: entry.failed,
      ...percentiles(counted.latencies.filter((row) => row.way === 'in' && entrySlots.has(row.slot))),
    },
    groups: Object.fromEntries(groups.map(([id, group]) => [id, groupFigures(group, counted)])) as Record<
      GroupId,
      RequestFigures
    >,
  }
}

/** What came to a group from outside: what instances answered, and what HAProxy itself had to answer for them. */
export function entryCounters(group: GroupRecord, counted: Counted): SlotCounters {
  let sum = noCounters
  for (const { slot, protocol } of group.slots) {
    const rows = counted.latencies.filter((row) => row.slot === slot)
    const entryRows = rows.filter((row) => row.way === 'in')
    const total = sinceBaseline(group, slot, counted)
    if (protocol === 'tcp') {
      const connections = entryRows.reduce((count, row) => count + row.connections, 0)
      sum = plus(sum, { requests: connections, failed: Math.min(connections, total.failed) })
      continue
    }
    const fromInside = rows.length > 0 && entryRows.length === 0
    const unanswered = fromInside ? 0 : Math.max(0, total.failed - failedOf(rows))
    sum = plus(sum, {
      requests: answersOf(entryRows) + unanswered,
      failed: failedOf(entryRows) + unanswered,
    })
  }
  return sum
}

function groupFigures(group: GroupRecord, counted: Counted): RequestFigures {
  const slots = new Set(group.slots.map(({ slot }) => slot))
  const total = [...slots]
    .map((slot) => sinceBaseline(group, slot, counted))
    .reduce((sum, counters) => plus(sum, counters), noCounters)
  return {
    requests: total.requests,
    failed: total.failed,
    ...percentiles(counted.latencies.filter((row) => slots.has(row.slot))),
  }
}

function sinceBaseline(group: GroupRecord, slot: SlotName, counted: Counted): SlotCounters {
  const counters = counted.slots.get(slot) ?? noCounters
  const { process, counters: baseline } = group.baseline
  return process === counted.process ? minus(counters, baseline[slot] ?? noCounters) : counters
}

const answersOf = (rows: readonly LatencyRow[]): number => rows.reduce((sum, row) => sum + row.answers, 0)
const failedOf = (rows: readonly LatencyRow[]): number => rows.reduce((sum, row) => sum + row.failed, 0)

function percentiles(rows: readonly LatencyRow[]): Pick<RequestFigures, 'p50Ms' | 'p99Ms'> {
  const counts = new Map<number, number>()
  for (const row of rows) counts.set(row.bucket, (counts.get(row.bucket) ?? 0) + row.answers)
  return { p50Ms: percentileMs(counts, 0.5), p99Ms: percentileMs(counts, 0.99) }
}
