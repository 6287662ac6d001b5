import { expect, it } from 'vitest'
import { Stopwatch } from './stopwatch.ts'

const hour = 3_600_000

it('measures on when the time is set', () => {
  const time = { now: 10 * hour, steady: 50 }
  const watch = new Stopwatch({ now: () => time.now, steady: () => time.steady })
  expect(watch.elapsedMs(10 * hour)).toBe(0)
  time.now -= hour
  time.steady += 700
  expect(watch.elapsedMs(10 * hour)).toBe(700)
  time.now += 5 * hour
  time.steady += 100
  expect(watch.elapsedMs(10 * hour)).toBe(800)
})

it('trusts the dates for what began before it, but never waits for one in the future', () => {
  const time = { now: 10 * hour, steady: 50 }
  const watch = new Stopwatch({ now: () => time.now, steady: () => time.steady })
  expect(watch.elapsedMs(10 * hour - 300)).toBe(300)
  expect(watch.elapsedMs(11 * hour)).toBe(0)
  time.steady += 400
  expect(watch.elapsedMs(11 * hour)).toBe(400)
})
