import { describe, expect, it } from 'vitest'
import type { LockedPackage } from '../../package-lock.ts'
import { layerGroups } from './package-layers.ts'

const packages = (count: number): readonly LockedPackage[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `p${String(index).padStart(3, '0')}`,
    version: '1',
    architecture: 'all',
    suite: 'bookworm',
    path: 'pool/x',
    sha256: String(index).padStart(64, '0'),
    sizeBytes: index,
  }))

describe('layerGroups', () => {
  it('gives each package a layer, up to a hundred', () => {
    expect(layerGroups(packages(100)).map((group) => group.packages.length)).toEqual(Array(100).fill(1))
  })

  it('puts the smallest ones together beyond that, in an order that only the packages decide', () => {
    const groups = layerGroups(packages(130))
    expect(groups).toHaveLength(100)
    expect(groups.at(-1)?.packages.map(({ name }) => name)).toEqual(packages(31).map(({ name }) => name))
    expect(groups.flatMap((group) => group.packages)).toHaveLength(130)
  })
})
