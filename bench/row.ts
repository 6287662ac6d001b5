/** One measurement, beside the peer's from the same run where there is one. */
export interface BenchRow {
  readonly name: string
  readonly unit: string
  /** Null where only a peer has such a thing. */
  readonly ours: number | null
  readonly peer: number | null
  /** Who or what the peer is. */
  readonly against: string | null
  /** ours / peer */
  readonly ratio: number | null
  readonly goal: Goal | null
}

/** What a figure, or its ratio to the peer's, has to be. */
export interface Goal {
  readonly of: 'figure' | 'ratio'
  readonly is: 'at most' | 'at least'
  readonly limit: number
}

/** Says how a whole bench could not be run here, and how it could. */
export interface Skipped {
  readonly skipped: string
}

export interface BenchOptions {
  /** Rounds that count: their median is the figure. One more goes before them where there is something to warm up. */
  readonly rounds: number
  /** Lies on the disk to be measured; a tmpfs would measure nothing. */
  readonly folder: string
}

export interface Bench {
  readonly name: string
  readonly run: (options: BenchOptions) => Promise<readonly BenchRow[] | Skipped>
}

export const figureAtMost = (limit: number): Goal => ({ of: 'figure', is: 'at most', limit })
export const ratioAtMost = (limit: number): Goal => ({ of: 'ratio', is: 'at most', limit })
export const ratioAtLeast = (limit: number): Goal => ({ of: 'ratio', is: 'at least', limit })

export const alone = (name: string, unit: string, ours: number, goal: Goal | null = null): BenchRow => ({
  name,
  unit,
  ours,
  peer: null,
  against: null,
  ratio: null,
  goal,
})

export const beside = (
  name: string,
  unit: string,
  ours: number,
  [against, peer]: readonly [string, number],
  goal: Goal | null = null,
): BenchRow => ({ name, unit, ours, peer, against, ratio: ours / peer, goal })

/** Null where the row has no goal. */
export function meetsGoal({ goal, ours, ratio }: BenchRow): boolean | null {
  if (goal === null) return null
  const value = (goal.of === 'ratio' ? ratio : ours) ?? Number.NaN
  return goal.is === 'at most' ? value <= goal.limit : value >= goal.limit
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
