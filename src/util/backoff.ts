const firstMs = 1000

/** How long to wait after so many failures in a row: a second, then twice as long each time, `longestMs` at most. */
export const backoffMs = (failures: number, longestMs: number): number =>
  Math.min(longestMs, firstMs * 2 ** (failures - 1))
