import type { GroupId } from '../core/ids.ts'

const firstMs = 1000
const lastMs = 60_000

/** How long to wait before a group is healed again, twice as long each time: a crash loop must not eat the machine. */
export class HealBackoff {
  readonly #now: () => number
  readonly #held = new Map<GroupId, { readonly until: number; readonly delayMs: number }>()

  /** @param now milliseconds of a clock that nobody sets */
  constructor(now: () => number) {
    this.#now = now
  }

  /** True when the group may be healed now; then the next time is later. */
  tryNow(group: GroupId): boolean {
    const held = this.#held.get(group)
    if (held !== undefined && this.#now() < held.until) return false
    const delayMs = Math.min(lastMs, held === undefined ? firstMs : held.delayMs * 2)
    this.#held.set(group, { until: this.#now() + delayMs, delayMs })
    return true
  }

  /** The group is whole: after as long a calm as its last wait, everything is forgiven. */
  settle(group: GroupId): void {
    const held = this.#held.get(group)
    if (held !== undefined && this.#now() > held.until + held.delayMs) this.#held.delete(group)
  }

  /** Milliseconds until a held group may be healed; Infinity when none is held. */
  nextMs(): number {
    const waits = [...this.#held.values()].map(({ until }) => until - this.#now())
    return Math.min(Number.POSITIVE_INFINITY, ...waits.filter((ms) => ms > 0))
  }
}
