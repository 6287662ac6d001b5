import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketMap, latencyBuckets, percentileMs } from './latency-buckets.ts'

describe('latency classes', () => {
  it('cover all latencies without a gap, each a whole network', () => {
    for (const [index, bucket] of latencyBuckets.entries()) {
      expect(bucket.fromUs).toBe(index === 0 ? 0 : latencyBuckets[index - 1]?.toUs)
      const size = bucket.toUs - bucket.fromUs
      expect(Number.isInteger(Math.log2(size))).toBe(true)
      expect(bucket.fromUs % size).toBe(0)
    }
    expect(bucketMap().split('\n').slice(0, 3)).toEqual(['0.0.0.0/26 0', '0.0.0.64/28 1', '0.0.0.80/28 2'])
  })

  it('give percentiles that are at most an eighth off', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 64, max: 60_000_000 }), { minLength: 1 }), (latenciesUs) => {
        const counts = new Map<number, number>()
        for (const latency of latenciesUs) {
          const index = latencyBuckets.findIndex(({ toUs }) => latency < toUs)
          counts.set(index, (counts.get(index) ?? 0) + 1)
        }
        const sorted = latenciesUs.toSorted((a, b) => a - b)
        for (const share of [0.5, 0.99]) {
          const exact = (sorted[Math.ceil(sorted.length * share) - 1] ?? 0) / 1000
          const read = percentileMs(counts, share) ?? 0
          expect(Math.abs(read - exact)).toBeLessThanOrEqual(exact / 8 + 0.001)
        }
      }),
    )
  })

  it('give none without a sample', () => {
    expect(percentileMs(new Map(), 0.5)).toBeNull()
  })
})
