import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exec } from '../../../util/exec.ts'
import { compareVersions } from './version.ts'

describe('compareVersions', () => {
  it.each([
    ['1.0~rc1', '1.0', -1],
    ['1:0.1', '2.0', 1],
    ['1.0-1', '1.0-1+deb12u1', -1],
    ['1.0', '1.0-0', 0],
    ['1.02', '1.2', 0],
    ['1.a', '1.+', -1],
    ['0~~', '0~~a', -1],
    ['2.36-9+deb12u10', '2.36-9+deb12u9', 1],
  ])('%s and %s', (a, b, expected) => {
    expect(Math.sign(compareVersions(a, b))).toBe(expected)
    expect(Math.sign(compareVersions(b, a))).toBe(expected === 0 ? 0 : -expected)
  })

  it('agrees with dpkg on any two versions', async () => {
    const part = fc.string({ unit: fc.constantFrom(...'0 1 2 3 9 a Z z . + ~'.split(' ')), maxLength: 6 })
    const version = fc
      .tuple(
        fc.constantFrom('', '0:', '1:'),
        fc.constantFrom('0', '1', '01', '10'),
        part,
        fc.constantFrom('', '-1', '-'),
        part,
      )
      .map(
        ([epoch, first, rest, hyphen, end]) =>
          `${epoch}${first}${rest}${hyphen}${hyphen === '-' && end === '' ? '0' : end}`,
      )
    const pairs = fc.sample(fc.tuple(version, version), 600)
    // One shell for all of them: dpkg compares one pair a call.
    const script =
      'while read a b; do dpkg --compare-versions "$a" lt "$b" && echo -1 || { dpkg --compare-versions "$a" eq "$b" && echo 0 || echo 1; }; done'
    const input = pairs.map((pair) => `${pair.join(' ')}\n`).join('')
    const { stdout } = await exec('sh', ['-c', script], { input })
    const ours = pairs.map(([a, b]) => `${a} ${b} ${Math.sign(compareVersions(a, b))}`)
    expect(ours).toEqual(
      stdout
        .trim()
        .split('\n')
        .map((result, index) => `${pairs[index]?.join(' ')} ${result}`),
    )
  })
})
