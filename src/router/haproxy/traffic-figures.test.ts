import { describe, expect, it } from 'vitest'
import type { EnvironmentId, GroupId } from '../../core/ids.ts'
import { parseLatencyTable } from './latency-table.ts'
import { emptyState, type GroupRecord, type RouterState } from './router-state.ts'
import { parseStat, slotCounters } from './slot-counters.ts'
import { trafficFigures } from './traffic-figures.ts'

const live = 'shop/live' as EnvironmentId
const state: RouterState = {
  ...emptyState,
  groups: {
    web: {
      environment: live,
      slots: [{ slot: 'h1', port: 80, protocol: 'http' }],
      baseline: { process: 'now', counters: { h1: { requests: 100, failed: 7 } } },
    },
    cache: {
      environment: live,
      slots: [{ slot: 't1', port: 6379, protocol: 'tcp' }],
      baseline: { process: 'before', counters: { t1: { requests: 100, failed: 7 } } },
    },
  } as unknown as Record<GroupId, GroupRecord>,
  retired: { [live]: { process: 'now', requests: 1000, failed: 5 } },
}
const latencies = parseLatencyTable(
  [
    '# table: latency, type: string, size:16384, used:4',
    '0x55e: key=10:in:h1 use=0 exp=0 conn_cnt=0 http_req_cnt=6 gpc0=1',
    '0x55e: key=20:in:h1 use=1 exp=0 conn_cnt=0 http_req_cnt=2 gpc0=0',
    '0x55e: key=10:edge:h1 use=0 exp=0 conn_cnt=0 http_req_cnt=4 gpc0=0',
    '0x55e: key=0:in:t1 use=0 exp=0 conn_cnt=3 http_req_cnt=0 gpc0=0',
  ].join('\n'),
)

describe('figures of an environment', () => {
  it('tell what came from outside from what came from other groups', () => {
    const slots = new Map([
      ['h1', { requests: 114, failed: 10 }],
      ['t1', { requests: 5, failed: 1 }],
    ] as const)
    const figures = trafficFigures(state, live, { process: 'now', slots, latencies })
    // Of 3 failures an instance answered 1; the other 2 requests HAProxy had to answer.
    expect(figures.entry).toMatchObject({ requests: 1000 + 8 + 2 + 3, failed: 5 + 1 + 2 + 1 })
    expect(figures.groups).toMatchObject({
      web: { requests: 14, failed: 3 },
      // Counted from nothing, as its baseline is of a HAProxy that is gone.
      cache: { requests: 5, failed: 1, p50Ms: null, p99Ms: null },
    })
  })

  it('begin anew with a new HAProxy', () => {
    const figures = trafficFigures(state, live, { process: 'next', slots: new Map(), latencies: [] })
    expect(figures.entry).toEqual({ requests: 0, failed: 0, p50Ms: null, p99Ms: null })
  })
})

describe('statistics of HAProxy', () => {
  it('are read by the names of the columns', () => {
    const [row] = parseStat('# pxname,svname,scur,stot,econ,req_tot,hrsp_5xx,\nh1,BACKEND,1,9,2,8,3,\n\n')
    expect(row && slotCounters('h1', row)).toEqual({ requests: 8, failed: 3 })
    expect(row && slotCounters('t1', row)).toEqual({ requests: 9, failed: 2 })
  })
})
