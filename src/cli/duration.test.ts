import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAge, formatDuration, parseDuration } from './duration.ts'

describe('parseDuration', () => {
  it.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['250ms', 250],
    ['2d', 172_800_000],
  ])('reads %s', (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs)
  })

  it.each(['', '5', 'm', '5 m', '-5m', '5mm', '5m!', 'soon', '0s', '5M'])('refuses "%s"', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it('adds up whatever parts there are', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(59), fc.integer({ min: 1, max: 59 }), (hours, minutes, seconds) => {
        const text = `${hours}h${minutes}m${seconds}s`
        expect(parseDuration(text)).toBe(((hours * 60 + minutes) * 60 + seconds) * 1_000)
      }),
    )
  })
})

describe('formatDuration', () => {
  it.each([
    [0.4, '0 ms'],
    [3, '3 ms'],
    [999, '999 ms'],
    [2_100, '2.1 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 0 s'],
    [200_000, '3 min 20 s'],
    [3_599_600, '1 h 0 min'],
    [7_500_000, '2 h 5 min'],
    [259_200_000, '3 d 0 h'],
  ])('%f ms is %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text)
  })
})

it('formatAge never speaks of the future', () => {
  expect([-5_000, 12_000, 200_000, 7_300_000, 500_000_000].map(formatAge)).toEqual([
    '0 s ago',
    '12 s ago',
    '3 min ago',
    '2 h ago',
    '5 d ago',
  ])
})
