import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../core/digest.ts'
import { emptyFrontier, leafHash, loadFrontier, rootOf } from './merkle.ts'
import { naiveRoot } from './merkle-reference.fixture.ts'
import { eventLeaf, nodeReader, sealEvents } from './sealed-event.ts'

const place = { stream: 'environment/shop/staging', version: 0, at: 1_700_000_000_000 }
const wellFormed = (value: unknown) =>
  JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(value))

describe('eventLeaf', () => {
  it('is the canonical JSON of the event, for any data', () => {
    fc.assert(
      fc.property(fc.jsonValue().filter(wellFormed), fc.nat(), fc.nat(), (data, position, at) => {
        const fields = { position, stream: 'system/shop', version: 3, at, type: 'release-frozen' }
        expect(eventLeaf({ ...fields, data: canonicalJson(data) }).toString()).toBe(
          canonicalJson({ ...fields, data }),
        )
      }),
    )
  })

  it('is the same from text and from bytes', () => {
    const fields = { position: 1, stream: 'system/shop', version: 1, at: 5, type: 'release-frozen' }
    const data = '{"name":"Grüße \\u0000 🌍"}'
    expect(eventLeaf({ ...fields, data: Buffer.from(data) })).toEqual(eventLeaf({ ...fields, data }))
  })
})

describe('sealEvents', () => {
  const unsealed = Array.from({ length: 13 }, (_, index) => ({ type: 'step-taken', data: `{"n":${index}}` }))

  it('numbers events on from the ledger and from the stream', () => {
    const first = sealEvents(emptyFrontier, place, unsealed.slice(0, 2))
    const second = sealEvents(
      first.frontier,
      { ...place, stream: 'system/shop', version: 7 },
      unsealed.slice(2, 4),
    )
    expect(first.events.map(({ position, version }) => [position, version])).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(second.events.map(({ position, version }) => [position, version])).toEqual([
      [3, 8],
      [4, 9],
    ])
  })

  it('gives the root of the tree over the leaves, however the events were handed over', () => {
    const whole = sealEvents(emptyFrontier, place, unsealed)
    expect(rootOf(whole.frontier)).toEqual(naiveRoot(whole.events.map(eventLeaf)))
    let frontier = emptyFrontier
    for (const [version, event] of unsealed.entries())
      frontier = sealEvents(frontier, { ...place, version }, [event]).frontier
    expect(frontier).toEqual(whole.frontier)
  })

  it('keeps with the events all that is needed to load the frontier of any earlier size', () => {
    const { events } = sealEvents(emptyFrontier, place, unsealed)
    const reader = nodeReader((position) => events[position - 1]!)
    for (let size = 0; size <= events.length; size++)
      expect(rootOf(loadFrontier(size, reader))).toEqual(naiveRoot(events.slice(0, size).map(eventLeaf)))
    expect(events[0]!.leafHash).toEqual(leafHash(eventLeaf(events[0]!)))
  })

  it('refuses a time that is not a whole number of milliseconds', () => {
    expect(() => sealEvents(emptyFrontier, { ...place, at: 1.5 }, unsealed)).toThrow('the clock said 1.5')
  })
})
