import { invariant } from '../../errors.ts'
import { durationPattern, sizePattern } from '../schema/scalars.ts'

const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
}

/** Timers take at most 2^31 - 1 ms. */
export const mostDurationMs = 24 * 86_400_000

/** `1m30s` to 90,000. The text has passed the schema. */
export function durationMs(text: string): number {
  invariant(durationPattern.test(text), `${text} is not a duration`)
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[dhms])/g))
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0)
  return total
}

/** `64M` to 67,108,864: letters count in 1024s, as in Docker. The value has passed the schema. */
export function sizeBytes(value: string | number): number {
  if (typeof value === 'number') return value
  const [, amount, unit] = sizePattern.exec(value) ?? []
  invariant(amount !== undefined, `${value} is not a size`)
  return Math.floor(Number(amount) * (unitBytes[(unit ?? '').toUpperCase()] ?? 1))
}
