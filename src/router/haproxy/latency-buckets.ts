/**
 * Latencies are counted inside HAProxy, in classes of microseconds that grow with the latency: four to each doubling,
 * so a figure read from them is off by at most an eighth. Each class is a block of 32-bit numbers with a common
 * prefix; HAProxy finds it with the tree that it has for networks, so the map is written as networks.
 */
export interface LatencyBucket {
  readonly index: number
  readonly fromUs: number
  readonly toUs: number
}

const firstBits = 6
const lastBits = 29

export const latencyBuckets: readonly LatencyBucket[] = [
  { fromUs: 0, toUs: 2 ** firstBits },
  ...Array.from({ length: lastBits - firstBits }, (_, index) => 2 ** (firstBits + index)).flatMap((base) =>
    [0, 1, 2, 3].map((quarter) => ({
      fromUs: base + (quarter * base) / 4,
      toUs: base + ((quarter + 1) * base) / 4,
    })),
  ),
].map((bucket, index) => ({ index, ...bucket }))

/** `network index`, one line for each class. A clock that was set back makes a negative number: the upper half. */
export const bucketMap = (): string =>
  latencyBuckets
    .map(({ index, fromUs, toUs }) => {
      const octets = [24, 16, 8, 0].map((shift) => Math.floor(fromUs / 2 ** shift) % 256)
      return `${octets.join('.')}/${32 - Math.log2(toUs - fromUs)} ${index}\n`
    })
    .concat('128.0.0.0/1 0\n')
    .join('')

/** For what is longer than all classes. */
export const lastBucket: number = latencyBuckets.length - 1

/**
 * The latency in milliseconds below which `share` (0 to 1) of the counted requests stayed: the middle of its class.
 * null without a sample.
 */
export function percentileMs(counts: ReadonlyMap<number, number>, share: number): number | null {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const rank = Math.max(1, Math.ceil(total * share))
  let seen = 0
  for (const { index, fromUs, toUs } of latencyBuckets) {
    seen += counts.get(index) ?? 0
    if (seen >= rank) return Math.round((fromUs + toUs) / 2) / 1000
  }
  return null
}
