/**
 * The little of Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding) that BuildKit's session and
 * progress need: varints and length-delimited fields.
 */
export type WireField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Buffer }

/** The fields of a message in their order; fixed-width ones are passed over. Throws RangeError where it is cut off. */
export function* readFields(message: Buffer): Generator<WireField> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a varint is longer than ten bytes')
  }
  while (at < message.length) {
    const key = Number(varint())
    const number = key >>> 3
    switch (key & 7) {
      case 0:
        yield { number, kind: 'varint', value: varint() }
        break
      case 1:
        at += 8
        break
      case 2: {
        const length = Number(varint())
        if (at + length > message.length) throw new RangeError('a field is cut off')
        yield { number, kind: 'bytes', value: message.subarray(at, at + length) }
        at += length
        break
      }
      case 5:
        at += 4
        break
      default:
        throw new RangeError(`there is no wire type ${key & 7}`)
    }
  }
}

/** Zero is written too: a reader that knows the field cannot tell the difference. */
export function varintField(number: number, value: number | bigint): Buffer {
  return Buffer.from([...varintBytes(BigInt(number << 3)), ...varintBytes(BigInt(value))])
}

export function bytesField(number: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  const head = [...varintBytes(BigInt((number << 3) | 2)), ...varintBytes(BigInt(bytes.byteLength))]
  return Buffer.concat([Buffer.from(head), bytes])
}

function varintBytes(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 0x80)
  } while (rest !== 0n)
  return bytes
}
