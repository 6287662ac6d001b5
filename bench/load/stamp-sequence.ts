/** Service name to the release that its answer says it belongs to. */
export type Stamps = Readonly<Record<string, string>>

export interface StampPeriod {
  readonly stamps: Stamps
  readonly answers: number
  /** Milliseconds from the start of the load to the first and the last such answer. */
  readonly firstMs: number
  readonly lastMs: number
}

/**
 * In which order the releases answered. A request that was sent after an answer of a release came may only be
 * answered by that release or by a later one; so one atomic switch gives exactly one more period. What was
 * sent before that first answer may still end on the release before.
 */
export class StampSequence {
  readonly #periods: (StampPeriod & { key: string; answers: number; lastMs: number })[] = []

  /** @param sentMs when the request was sent @param receivedMs when its answer was complete */
  add(stamps: Stamps, sentMs: number, receivedMs: number): void {
    const key = JSON.stringify(stamps)
    const current = this.#periods.at(-1)
    if (current?.key === key) {
      count(current, receivedMs)
      return
    }
    const overtaken = current !== undefined && sentMs <= current.firstMs
    const before = overtaken ? this.#periods.findLast((period) => period.key === key) : undefined
    if (before === undefined)
      this.#periods.push({ key, stamps, answers: 1, firstMs: receivedMs, lastMs: receivedMs })
    else count(before, receivedMs)
  }

  periods(): readonly StampPeriod[] {
    return this.#periods.map(({ stamps, answers, firstMs, lastMs }) => ({
      stamps,
      answers,
      firstMs: Math.round(firstMs),
      lastMs: Math.round(lastMs),
    }))
  }
}

function count(period: { answers: number; lastMs: number }, receivedMs: number): void {
  period.answers += 1
  period.lastMs = receivedMs
}

/** `x-stamp-<service>` headers, sorted by service. */
export function stampsOf(headers: ReadonlyMap<string, string>): Stamps {
  const prefix = 'x-stamp-'
  return Object.fromEntries(
    [...headers]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]): [string, string] => [name.slice(prefix.length), value])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** An answer in which two services belong to different releases, or in which nothing could be compared. */
export const isMixed = (stamps: Stamps): boolean =>
  Object.keys(stamps).length < 2 || new Set(Object.values(stamps)).size > 1
