import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyRoot } from './merkle.ts'
import { consistencyProof, verifyConsistency } from './merkle-proof.ts'
import { ctLeaves, ctRoots, naiveRoot, naiveSubproof, treeOf } from './merkle-reference.fixture.ts'

const hex = (hashes: readonly Buffer[]) => hashes.map((hash) => hash.toString('hex'))
const numbered = (count: number) => Array.from({ length: count }, (_, index) => Buffer.from(`leaf ${index}`))
const flipped = (hash: Uint8Array) => Buffer.from(hash.map((byte, index) => (index === 7 ? byte ^ 1 : byte)))

/** A size, and one that is not larger. */
const arbitrarySizes = fc
  .integer({ min: 1, max: 66 })
  .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size })))

describe('consistency proof', () => {
  const claim = (oldSize: number, leaves: readonly Buffer[]) => ({
    oldSize,
    oldRoot: naiveRoot(leaves.slice(0, oldSize)),
    size: leaves.length,
    root: naiveRoot(leaves),
    proof: consistencyProof(oldSize, leaves.length, treeOf(leaves)),
  })

  it('equals the vectors of Certificate Transparency', () => {
    expect(hex(consistencyProof(6, 8, treeOf(ctLeaves)))).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ])
    expect(hex(consistencyProof(2, 5, treeOf(ctLeaves.slice(0, 5))))).toEqual([
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ])
    const roots = ctRoots.map((root) => Buffer.from(root, 'hex'))
    const pairs = roots.flatMap((root, size) =>
      roots.slice(0, size + 1).map((oldRoot, oldSize) => ({ oldSize, oldRoot, size, root })),
    )
    for (const pair of pairs) {
      const proof = consistencyProof(pair.oldSize, pair.size, treeOf(ctLeaves))
      expect(verifyConsistency({ ...pair, proof })).toBe(true)
    }
  })

  it('equals PROOF of RFC 6962 and verifies, for any two sizes', () => {
    fc.assert(
      fc.property(arbitrarySizes, ([size, oldSize]) => {
        const leaves = numbered(size)
        const made = claim(oldSize, leaves)
        expect(made.proof).toEqual(oldSize === 0 ? [] : naiveSubproof(oldSize, leaves, true))
        expect(verifyConsistency(made)).toBe(true)
      }),
    )
  })

  it('does not verify when anything in the claim is changed', () => {
    fc.assert(
      fc.property(arbitrarySizes, fc.nat(), ([size, oldSize], pick) => {
        const made = claim(oldSize, numbered(size))
        expect(verifyConsistency({ ...made, oldRoot: flipped(made.oldRoot) })).toBe(false)
        expect(verifyConsistency({ ...made, proof: [...made.proof, made.root] })).toBe(false)
        expect(verifyConsistency({ ...made, oldSize: size + 1 })).toBe(false)
        expect(verifyConsistency({ ...made, oldSize: -1 })).toBe(false)
        // Nothing is claimed about the new tree when the old one is empty.
        expect(verifyConsistency({ ...made, root: flipped(made.root) })).toBe(oldSize === 0)
        if (made.proof.length === 0) return
        expect(verifyConsistency({ ...made, proof: made.proof.slice(1) })).toBe(false)
        expect(verifyConsistency({ ...made, proof: [] })).toBe(false)
        const bad = pick % made.proof.length
        const proof = made.proof.map((hash, place) => (place === bad ? flipped(hash) : hash))
        expect(verifyConsistency({ ...made, proof })).toBe(false)
      }),
    )
  })

  it('does not verify a history that was rewritten', () => {
    const leaves = numbered(20)
    const rewritten = leaves.map((leaf, index) => (index === 3 ? Buffer.from('forged') : leaf))
    expect(verifyConsistency({ ...claim(10, rewritten), oldRoot: naiveRoot(leaves.slice(0, 10)) })).toBe(
      false,
    )
  })

  it('knows the empty tree', () => {
    const leaves = numbered(3)
    expect(claim(0, leaves).oldRoot).toEqual(emptyRoot)
    expect(verifyConsistency(claim(0, leaves))).toBe(true)
  })

  it('refuses to prove that a tree extends a larger one', () => {
    expect(() => consistencyProof(4, 3, treeOf(numbered(3)))).toThrow('cannot extend')
  })
})
