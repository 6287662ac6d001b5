import { createHash } from 'node:crypto'
import { BasaltError } from '../../../errors.ts'
import type { ServiceRange } from '../../../router/router-network.ts'

/** Six hex digits that tell the things of one Basalt home from another's: they are part of every name. */
export type HomeKey = string

/** The addresses and names of one home's network; all follow from the key and the second octet. */
export interface NetworkPlan {
  readonly key: HomeKey
  /** The home owns 10.<octet>.0.0/16. */
  readonly octet: number
  readonly bridge: string
  readonly gateway: string
  /** Lower half: one address for each instance. */
  readonly instanceRange: string
  /** Upper half: one address for each group, answered by the router. */
  readonly serviceRange: ServiceRange
  readonly bridgeMac: string
  /** nftables tables, both of family `inet`. */
  readonly firewallTable: string
  readonly routerTable: string
}

export interface Ipv4Range {
  readonly address: string
  readonly prefixLength: number
}

const firstOctet = 128
const octets = 128

export const homeKey = (home: string, attempt = 0): HomeKey => hashOf(home, attempt).toString('hex', 0, 3)

export const planOf = (key: HomeKey, octet: number): NetworkPlan => ({
  key,
  octet,
  bridge: `basalt-${key}`,
  gateway: `10.${octet}.0.1`,
  instanceRange: `10.${octet}.0.0/17`,
  serviceRange: { cidr: `10.${octet}.128.0/17`, first: `10.${octet}.128.0`, count: 32_768 },
  // Without a fixed address a bridge takes one of its ports', and neighbours' caches go stale as ports leave.
  bridgeMac: `02:ba:${key.match(/../g)?.join(':')}:01`,
  firewallTable: `basalt-${key}`,
  routerTable: `basalt-${key}-router`,
})

/** The first free /16 of 10.128.0.0/9, looked for from where the home's hash points. */
export function chooseOctet(home: string, used: readonly Ipv4Range[]): number {
  const start = hashOf(home, 0).readUInt8(3) % octets
  for (let step = 0; step < octets; step++) {
    const octet = firstOctet + ((start + step) % octets)
    const wanted: Ipv4Range = { address: `10.${octet}.0.0`, prefixLength: 16 }
    if (!used.some((range) => overlaps(wanted, range))) return octet
  }
  throw new BasaltError('network.setup-failed', {
    message: 'no /16 of 10.128.0.0/9 is free for the instances of this Basalt',
    remedy: 'See `ip route`; remove the networks of Basalt homes that are gone.',
  })
}

/** A default route (prefix length 0) covers everything and takes nothing. */
export function overlaps(a: Ipv4Range, b: Ipv4Range): boolean {
  const shared = Math.min(a.prefixLength, b.prefixLength)
  if (shared === 0) return false
  const shift = 32 - shared
  return numberOf(a.address) >>> shift === numberOf(b.address) >>> shift
}

export const numberOf = (address: string): number =>
  address.split('.').reduce((number, part) => ((number << 8) | Number(part)) >>> 0, 0)

const hashOf = (home: string, attempt: number): Buffer =>
  createHash('sha256').update(`${home}\0${attempt}`).digest()

export const addressOf = ({ octet }: Pick<NetworkPlan, 'octet'>, number: number): string =>
  `10.${octet}.${number >>> 8}.${number & 255}`

export const numberOfAddress = (address: string): number => numberOf(address) & 0xffff
