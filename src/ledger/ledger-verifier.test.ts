import { describe, expect, it } from 'vitest'
import { LedgerVerifier } from './ledger-verifier.ts'
import { emptyFrontier, leafHash, rootOf } from './merkle.ts'
import { eventLeaf, type StoredEvent, sealEvents } from './sealed-event.ts'

const sealed = sealEvents(
  emptyFrontier,
  { stream: 'system/shop', version: 0, at: 1_700_000_000_000 },
  Array.from({ length: 11 }, (_, index) => ({ type: 'step-taken', data: `{"n":${index}}` })),
)
const stored: readonly StoredEvent[] = sealed.events.map((event) => ({
  ...event,
  data: Buffer.from(event.data),
}))
const root = rootOf(sealed.frontier)

function verify(events: readonly StoredEvent[]): Buffer {
  const verifier = new LedgerVerifier()
  for (const event of events) verifier.event(event)
  return verifier.end(stored.length)
}

/** The ledger with one event replaced by a changed copy. */
const withChanged = (position: number, change: (event: StoredEvent) => Partial<StoredEvent>) =>
  stored.map((event) => (event.position === position ? { ...event, ...change(event) } : event))

const flipBit = (bytes: Uint8Array, bit: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

describe('LedgerVerifier', () => {
  it('accepts what was sealed and gives its root', () => {
    expect(verify(stored)).toEqual(root)
  })

  it.each<[string, (event: StoredEvent) => Partial<StoredEvent>]>([
    ['stream', () => ({ stream: 'system/other' })],
    ['version', (event) => ({ version: event.version + 1 })],
    ['at', (event) => ({ at: event.at + 1 })],
    ['type', () => ({ type: 'step-skipped' })],
    ['data', () => ({ data: Buffer.from('{"n":99}') })],
    ['spelling of data', (event) => ({ data: Buffer.concat([event.data, Buffer.from(' ')]) })],
    ['leaf hash', (event) => ({ leafHash: flipBit(event.leafHash, 100) })],
    ['node hashes', (event) => ({ nodeHashes: flipBit(event.nodeHashes, 300) })],
    ['root hash', (event) => ({ rootHash: flipBit(event.rootHash, 200) })],
    ['position', (event) => ({ position: event.position + 100 })],
  ])('finds a changed %s and names its position', (_column, change) => {
    expect(() => verify(withChanged(4, change))).toThrow(
      expect.objectContaining({ code: 'ledger.tampered', details: { position: 4 } }),
    )
  })

  it('finds every single flipped bit of every hash and of all data', () => {
    for (const event of stored)
      for (const column of ['data', 'leafHash', 'nodeHashes', 'rootHash'] as const)
        for (let bit = 0; bit < event[column].length * 8; bit++)
          expect(() =>
            verify(withChanged(event.position, () => ({ [column]: flipBit(event[column], bit) }))),
          ).toThrow(`event ${event.position}: `)
  })

  it('finds events that are missing, from the middle or the end', () => {
    expect(() => verify(stored.filter(({ position }) => position !== 6))).toThrow('event 6: it is missing')
    expect(() => verify(stored.slice(0, -1))).toThrow('event 11: it is missing; the ledger had 11 events')
  })

  it('finds two events that changed places', () => {
    const third = stored[2]!
    const seventh = stored[6]!
    const swapped = stored.map((event) => (event === third ? seventh : event === seventh ? third : event))
    expect(() => verify(swapped)).toThrow('event 3: it is missing; event 7 is stored in its place')
    const renumbered = swapped.map((event, index) => ({ ...event, position: index + 1 }))
    expect(() => verify(renumbered)).toThrow('event 3: its content does not match its leaf hash')
  })

  it('finds an event that was forged together with its leaf hash', () => {
    const forge = (event: StoredEvent) => {
      const data = Buffer.from('"forged"')
      return { data, leafHash: leafHash(eventLeaf({ ...event, data })) }
    }
    expect(() => verify(withChanged(4, forge))).toThrow('event 4: the tree nodes that are stored with it')
    // These have no node above them yet: the root hash finds it.
    expect(() => verify(withChanged(5, forge))).toThrow('event 5: the root hash that was recorded with it')
    expect(() => verify(withChanged(11, forge))).toThrow('event 11: the root hash that was recorded with it')
  })
})
