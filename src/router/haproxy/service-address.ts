import { digestOfBytes } from '../../core/digest.ts'
import { BasaltError } from '../../errors.ts'
import type { ServiceRange } from '../router-network.ts'
import type { Protocol } from './slot-name.ts'

/** Consecutive IPv4 addresses, both ends included. */
export interface AddressRange {
  readonly first: string
  readonly last: string
}

/** The first half of the range is spoken to as HTTP, the second as plain TCP: one listener each. */
export function addressRanges(range: ServiceRange): Readonly<Record<Protocol, AddressRange>> {
  const first = numberOf(range.first)
  const half = Math.floor(range.count / 2)
  return {
    http: { first: textOf(first), last: textOf(first + half - 1) },
    tcp: { first: textOf(first + half), last: textOf(first + 2 * half - 1) },
  }
}

/**
 * The address of a group: where the hash of its id points, else the next free one. So a group that comes back has its
 * old address again, unless somebody took it meanwhile.
 */
export function chooseAddress(name: string, range: AddressRange, taken: ReadonlySet<string>): string {
  // The ends would be the network's and the broadcast address, should somebody give the half a netmask.
  const first = numberOf(range.first) + 1
  const count = numberOf(range.last) - first
  const start = Number.parseInt(digestOfBytes(name).slice('sha256:'.length, 'sha256:'.length + 8), 16)
  for (let step = 0; step < count; step++) {
    const address = textOf(first + ((start + step) % count))
    if (!taken.has(address)) return address
  }
  throw new BasaltError('router.full', {
    message: `all ${count} service addresses from ${range.first} to ${range.last} are in use`,
    remedy: 'End environments that are no longer needed: `basalt down -e <environment>`.',
  })
}

const numberOf = (address: string): number =>
  address.split('.').reduce((number, part) => number * 256 + Number(part), 0)

const textOf = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
