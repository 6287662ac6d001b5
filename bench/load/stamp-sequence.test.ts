import { describe, expect, it } from 'vitest'
import { isMixed, StampSequence } from './stamp-sequence.ts'

const one = { web: '1', api: '1' }
const two = { web: '2', api: '2' }

describe('StampSequence', () => {
  const names = (sequence: StampSequence): readonly (string | undefined)[] =>
    sequence.periods().map(({ stamps }) => stamps['web'])

  it('counts answers that were under way during a switch to the release that gave them', () => {
    const sequence = new StampSequence()
    sequence.add(one, 0, 5)
    sequence.add(two, 6, 10)
    sequence.add(one, 7, 12)
    sequence.add(two, 11, 15)
    expect(names(sequence)).toEqual(['1', '2'])
    expect(sequence.periods().map(({ answers }) => answers)).toEqual([2, 2])
  })

  it('shows a release that comes back after the switch was seen', () => {
    const sequence = new StampSequence()
    sequence.add(one, 0, 5)
    sequence.add(two, 6, 10)
    sequence.add(one, 11, 12)
    expect(names(sequence)).toEqual(['1', '2', '1'])
  })
})

describe('isMixed', () => {
  it('is false only where all of at least two services agree', () => {
    expect(isMixed(one)).toBe(false)
    expect(isMixed({ web: '1', api: '2' })).toBe(true)
    expect(isMixed({ web: '1' })).toBe(true)
    expect(isMixed({})).toBe(true)
  })
})
