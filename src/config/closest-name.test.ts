import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance } from '../util/edit-distance.ts'
import { closestName } from './closest-name.ts'

describe('closestName', () => {
  it.each([
    ['replica', 'replicas'],
    ['REPLICAS', 'replicas'],
    ['raplices', 'replicas'],
    ['lables', 'labels'],
    ['prot', 'port'],
    ['xyz', null],
    ['p', null],
    ['', null],
    ['replicas'.repeat(20), null],
  ])('%j means %j', (typed, meant) => {
    expect(closestName(typed, ['port', 'ports', 'replicas', 'labels'])).toBe(meant)
  })
})

describe('editDistance', () => {
  it('counts a swap of neighbours as one', () => {
    expect(editDistance('prot', 'port')).toBe(1)
    expect(editDistance('kitten', 'sitting')).toBe(3)
  })

  it('is symmetric, zero only for equals, and at most the longer length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (one, other) => {
        const distance = editDistance(one, other)
        expect(editDistance(other, one)).toBe(distance)
        expect(distance === 0).toBe(one === other)
        expect(distance).toBeLessThanOrEqual(Math.max(one.length, other.length))
        expect(distance).toBeGreaterThanOrEqual(Math.abs(one.length - other.length))
      }),
    )
  })
})
