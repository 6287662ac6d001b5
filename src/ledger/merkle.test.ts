import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appendLeaf, emptyFrontier, type Frontier, leafHash, loadFrontier, rootOf } from './merkle.ts'
import { ctLeaves, ctRoots, naiveRoot, treeOf } from './merkle-reference.fixture.ts'

const frontierOf = (leaves: readonly Buffer[]): Frontier =>
  leaves.reduce<Frontier>((frontier, leaf) => appendLeaf(frontier, leafHash(leaf)).frontier, emptyFrontier)

const arbitraryLeaves = fc.array(
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 70 },
)

describe('Merkle tree', () => {
  it('gives the roots of the Certificate Transparency test tree', () => {
    const roots = Array.from({ length: ctLeaves.length + 1 }, (_, size) =>
      rootOf(frontierOf(ctLeaves.slice(0, size))).toString('hex'),
    )
    expect(roots).toEqual(ctRoots)
  })

  it('equals the definition of RFC 6962 for any leaves', () => {
    fc.assert(
      fc.property(arbitraryLeaves, (leaves) => {
        expect(rootOf(frontierOf(leaves))).toEqual(naiveRoot(leaves))
      }),
    )
  })

  it('completes each inner node exactly once, with the root of its subtree', () => {
    fc.assert(
      fc.property(arbitraryLeaves, (leaves) => {
        let frontier = emptyFrontier
        for (const [index, leaf] of leaves.entries()) {
          const appended = appendLeaf(frontier, leafHash(leaf))
          frontier = appended.frontier
          const size = index + 1
          const expected: Buffer[] = []
          for (let width = 2; size % width === 0; width *= 2)
            expected.push(naiveRoot(leaves.slice(size - width, size)))
          expect(appended.completed).toEqual(expected)
        }
      }),
    )
  })

  it('never changes a frontier that was handed out', () => {
    const three = frontierOf(ctLeaves.slice(0, 3))
    const before = structuredClone(three)
    appendLeaf(three, leafHash(Buffer.from('x')))
    appendLeaf(three, leafHash(Buffer.from('y')))
    expect(structuredClone(three)).toEqual(before)
  })

  it('loads the frontier of any size from stored nodes', () => {
    fc.assert(
      fc.property(arbitraryLeaves, (leaves) => {
        expect(loadFrontier(leaves.length, treeOf(leaves))).toEqual(frontierOf(leaves))
      }),
    )
  })
})
