/** Counts who still needs something that the last one shall remove: builds of one run go on at the same time. */
export interface Holds {
  hold(key: string): void
  /** True for the last one who held it. */
  release(key: string): boolean
}

export function createHolds(): Holds {
  const counts = new Map<string, number>()
  return {
    hold: (key) => void counts.set(key, (counts.get(key) ?? 0) + 1),
    release(key) {
      const left = (counts.get(key) ?? 1) - 1
      if (left > 0) counts.set(key, left)
      else counts.delete(key)
      return left === 0
    },
  }
}
