import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesField, readFields, varintField } from './protobuf.ts'

it('reads what it wrote', () => {
  const number = fc.integer({ min: 1, max: 5000 })
  const field = fc.oneof(
    fc.record({ number, value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    fc.record({ number, value: fc.uint8Array({ maxLength: 300 }) }),
  )
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const message = Buffer.concat(
        fields.map(({ number: key, value }) =>
          typeof value === 'bigint' ? varintField(key, value) : bytesField(key, value),
        ),
      )
      const read = [...readFields(message)].map(({ number: key, value }) => ({
        number: key,
        value: typeof value === 'bigint' ? value : new Uint8Array(value),
      }))
      expect(read).toEqual(fields.map(({ number: key, value }) => ({ number: key, value })))
    }),
  )
})

// protobuf.dev/programming-guides/encoding: fields 1 = 150 and 2 = "testing".
it("reads and writes the specification's own examples", () => {
  expect(varintField(1, 150).toString('hex')).toBe('089601')
  expect(bytesField(2, 'testing').toString('hex')).toBe('120774657374696e67')
})

it('passes over numbers of fixed width', () => {
  const message = Buffer.concat([Buffer.from('090102030405060708', 'hex'), Buffer.from('1501020304', 'hex')])
  expect([...readFields(Buffer.concat([message, varintField(3, 1)]))]).toEqual([
    { number: 3, kind: 'varint', value: 1n },
  ])
})

it.each(['12', '1205aa', '08ff', '0f', '08ffffffffffffffffffff01'])('refuses %s', (hex) => {
  expect(() => [...readFields(Buffer.from(hex, 'hex'))]).toThrow(RangeError)
})
