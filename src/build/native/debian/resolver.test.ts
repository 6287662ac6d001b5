import { describe, expect, it } from 'vitest'
import { compactPackages, readPackageIndex } from './package-index.ts'
import { resolvePackages } from './resolver.ts'

const index = async (text: string) => {
  const stanzas = text
    .trim()
    .split('\n')
    .map((line) => {
      const [name, version, ...fields] = line.trim().split(/\s*;\s*/)
      return `Package: ${name}\nDescription: x\n Version: 0\nVersion: ${version}\nArchitecture: amd64\n${fields.join('\n')}\n`
    })
  // In small pieces, as they may come from a decompressor.
  const bytes = Buffer.from(stanzas.join('\n'))
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
  }
  return readPackageIndex([{ suite: 'bookworm', compact: await compactPackages(pieces()) }])
}
const resolve = async (text: string, ...requested: string[]) =>
  resolvePackages(await index(text), { suite: 'bookworm', architecture: 'amd64', requested }).map(
    ({ name, version }) => `${name}=${version}`,
  )

describe('resolvePackages', () => {
  it('takes the highest version, and the highest that fits where one is asked for', async () => {
    const packages = 'a;1;Depends: b (<< 3)\nb;2\nb;10\nb;1'
    expect(await resolve(packages, 'b')).toEqual(['b=10'])
    expect(await resolve(packages, 'a')).toEqual(['a=1', 'b=2'])
  })

  it('takes the first alternative that can be had, and rather one that is chosen already', async () => {
    const packages = 'a;1;Depends: gone | broken | b | c\nb;1\nc;1\nbroken;1;Depends: nothing'
    expect(await resolve(packages, 'a')).toEqual(['a=1', 'b=1'])
    expect(await resolve(packages, 'a', 'c')).toEqual(['a=1', 'c=1'])
  })

  it('takes back all of an alternative that did not work out', async () => {
    const packages = 'a;1;Depends: bad | good\nbad;1;Depends: helper, nothing\nhelper;1\ngood;1'
    expect(await resolve(packages, 'a')).toEqual(['a=1', 'good=1'])
  })

  it('knows provided names, with versions', async () => {
    const packages = 'a;1;Depends: v (>= 2)\np;1;Provides: v (= 1)\nq;1;Provides: v (= 2), w\nr;1;Provides: v'
    expect(await resolve(packages, 'a')).toEqual(['a=1', 'q=1'])
    expect(await resolve(`${packages}\nb;1;Depends: w`, 'b')).toEqual(['b=1', 'q=1'])
  })

  it('understands :any and :native, and cycles', async () => {
    expect(
      await resolve('a;1;Depends: p:any, c:native\np;1;Multi-Arch: allowed\nc;1;Pre-Depends: a', 'a'),
    ).toEqual(['a=1', 'c=1', 'p=1'])
    await expect(resolve('a;1;Depends: p:any\np;1', 'a')).rejects.toMatchObject({
      code: 'build.package-unresolvable',
    })
  })

  it('avoids an alternative that conflicts, and names a conflict that cannot be avoided', async () => {
    const packages =
      'a;1;Depends: b | c\nb;1;Conflicts: d\nc;1\nd;1\ne;2;Breaks: d (<< 2)\nf;1;Conflicts: v;Provides: v\ng;1;Provides: v'
    expect(await resolve(packages, 'a', 'd')).toEqual(['a=1', 'c=1', 'd=1'])
    expect(await resolve(packages, 'f')).toEqual(['f=1'])
    await expect(resolve(packages, 'd', 'e')).rejects.toMatchObject({
      code: 'build.package-unresolvable',
      message: expect.stringContaining('e 2 breaks d (<< 2), which is d 1'),
    })
    await expect(resolve(packages, 'f', 'g')).rejects.toMatchObject({
      message: expect.stringContaining('f 1 conflicts with v, which is g 1'),
    })
  })

  it('includes a package for maintainer scripts only where it is named', async () => {
    const packages = 'a;1;Depends: adduser, b\nadduser;1;Depends: passwd\npasswd;1\nb;1'
    expect(await resolve(packages, 'a')).toEqual(['a=1', 'b=1'])
    expect(await resolve(packages, 'a', 'adduser')).toEqual(['a=1', 'adduser=1', 'b=1'])
  })
})
