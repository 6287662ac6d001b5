import type { SlotName } from './slot-name.ts'
import { slotProtocol } from './slot-name.ts'

/** Requests for an http slot, connections for a tcp slot. */
export interface SlotCounters {
  readonly requests: number
  /** Answers 5xx, or connections that no instance took. */
  readonly failed: number
}

export const noCounters: SlotCounters = { requests: 0, failed: 0 }

/** A row of `show stat` by the names of its columns (HAProxy management guide, 9.1 "CSV format"). */
export type StatRow = ReadonlyMap<string, string>

export function parseStat(csv: string): readonly StatRow[] {
  const [header = '', ...lines] = csv.replace(/^# /, '').split('\n')
  const names = header.split(',')
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const values = line.split(',')
      return new Map(names.map((name, index) => [name, values[index] ?? '']))
    })
}

const figure = (row: StatRow, name: string): number => Number(row.get(name) || 0)

export const slotCounters = (slot: SlotName, row: StatRow): SlotCounters =>
  slotProtocol(slot) === 'http'
    ? { requests: figure(row, 'req_tot'), failed: figure(row, 'hrsp_5xx') }
    : { requests: figure(row, 'stot'), failed: figure(row, 'econ') }

/** Requests in flight or waiting, as `show stat` has them. */
export const inFlight = (row: StatRow): number => figure(row, 'scur') + figure(row, 'qcur')

export const minus = (counters: SlotCounters, baseline: SlotCounters): SlotCounters => ({
  requests: Math.max(0, counters.requests - baseline.requests),
  failed: Math.max(0, counters.failed - baseline.failed),
})

export const plus = (one: SlotCounters, other: SlotCounters): SlotCounters => ({
  requests: one.requests + other.requests,
  failed: one.failed + other.failed,
})
