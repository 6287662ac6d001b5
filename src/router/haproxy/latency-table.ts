import type { SlotName } from './slot-name.ts'

/**
 * What HAProxy counts in its stick table `latency`. Its keys are `<class>:<way>:<slot>`; way `in` is traffic from
 * outside, `edge` is traffic between groups. Ways in by tcp have the one class `0` and count connections.
 */
export interface LatencyRow {
  readonly key: string
  readonly bucket: number
  readonly way: 'in' | 'edge'
  readonly slot: SlotName
  readonly answers: number
  /** Answers 5xx among them. */
  readonly failed: number
  readonly connections: number
}

/** Parses `show table latency`. Lines of another shape are the table's heading. */
export function parseLatencyTable(text: string): readonly LatencyRow[] {
  return text.split('\n').flatMap((line) => {
    const key = /key=((\d+):(in|edge):([ht]\d+)) /.exec(line)
    if (key === null) return []
    const count = (name: string) => Number(new RegExp(` ${name}=(\\d+)`).exec(line)?.[1] ?? 0)
    return {
      key: key[1] ?? '',
      bucket: Number(key[2]),
      way: key[3] === 'in' ? 'in' : 'edge',
      slot: key[4] as SlotName,
      answers: count('http_req_cnt'),
      failed: count('gpc0'),
      connections: count('conn_cnt'),
    }
  })
}
