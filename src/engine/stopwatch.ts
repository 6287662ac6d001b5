/** The time as people set it, and a clock that only ever goes on; both in milliseconds. */
export interface Clocks {
  readonly now: () => number
  readonly steady: () => number
}

/**
 * How long something that the ledger dates has lasted. What began under this server's eyes is measured by the
 * steady clock, so that setting the time makes no wait longer or shorter; for what began earlier the dates must
 * do, and one in the future counts as now.
 */
export class Stopwatch {
  readonly #clocks: Clocks
  #since: number | null = null
  #zero = 0

  constructor(clocks: Clocks) {
    this.#clocks = clocks
  }

  /** @param since milliseconds since the epoch; another value than before starts the measuring anew */
  elapsedMs(since: number): number {
    const { now, steady } = this.#clocks
    if (this.#since !== since) {
      this.#since = since
      this.#zero = steady() - Math.max(0, now() - since)
    }
    return steady() - this.#zero
  }
}
