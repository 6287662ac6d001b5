import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseOctet, homeKey, numberOf, overlaps, planOf } from './network-plan.ts'

const octet = fc.integer({ min: 0, max: 255 })
const range = fc
  .tuple(octet, octet, octet, octet, fc.integer({ min: 1, max: 32 }))
  .map(([a, b, c, d, prefixLength]) => ({ address: `${a}.${b}.${c}.${d}`, prefixLength }))

describe('network plan', () => {
  it('overlaps exactly where one range contains the start of the other', () => {
    const contains = (outer: { address: string; prefixLength: number }, address: string) => {
      const size = 2 ** (32 - outer.prefixLength)
      return Math.floor(numberOf(outer.address) / size) === Math.floor(numberOf(address) / size)
    }
    fc.assert(
      fc.property(range, range, (a, b) => {
        expect(overlaps(a, b)).toBe(contains(a, b.address) || contains(b, a.address))
      }),
    )
  })

  it('never chooses what is in use, and always 10.128 to 10.255', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(range, { maxLength: 20 }), (home, used) => {
        if (
          used.some(
            (each) => overlaps(each, { address: '10.128.0.0', prefixLength: 9 }) && each.prefixLength < 12,
          )
        )
          return
        const chosen = chooseOctet(home, used)
        expect(chosen).toBeGreaterThanOrEqual(128)
        expect(chosen).toBeLessThanOrEqual(255)
        for (const each of used)
          expect(overlaps(each, { address: `10.${chosen}.0.0`, prefixLength: 16 })).toBe(false)
      }),
    )
  })

  it('says so when every range is taken', () => {
    const all = [{ address: '10.0.0.0', prefixLength: 8 }]
    expect(() => chooseOctet('/home', all)).toThrow(/no \/16 of 10.128.0.0\/9 is free/)
  })

  it('does not mind a default route', () => {
    expect(() => chooseOctet('/home', [{ address: '0.0.0.0', prefixLength: 0 }])).not.toThrow()
  })

  it('gives names that fit the kernel, and a second choice for a taken one', () => {
    const plan = planOf(homeKey('/var/lib/basalt'), 200)
    expect(plan.bridge.length).toBeLessThanOrEqual(15)
    expect(`bs${plan.key}-32766`.length).toBeLessThanOrEqual(15)
    expect(plan.bridgeMac).toMatch(/^02(:[0-9a-f]{2}){5}$/)
    expect(homeKey('/a', 1)).not.toBe(homeKey('/a', 0))
  })
})
