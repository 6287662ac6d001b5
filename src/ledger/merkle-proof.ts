import { invariant } from '../errors.ts'
import { emptyRoot, type Hash, largestPerfectWidth, type NodeReader, nodeHash } from './merkle.ts'

/**
 * Proves that the tree of the first `oldSize` leaves is a prefix of the tree of the first `size`: PROOF of
 * RFC 6962, section 2.1.2. Empty when there is nothing to prove: equal sizes, or an old tree without leaves.
 */
export function consistencyProof(oldSize: number, size: number, readNode: NodeReader): readonly Hash[] {
  invariant(oldSize >= 0 && oldSize <= size, `a tree of ${size} cannot extend one of ${oldSize}`)
  if (oldSize === 0) return []
  const proof: Hash[] = []
  let start = 0
  let count = size
  // The verifier knows the old root, so the proof leaves it out where it is a node of the new tree.
  let isOldRoot = true
  while (oldSize !== start + count) {
    const left = leftWidth(count)
    if (oldSize <= start + left) {
      proof.push(rangeRoot(start + left, count - left, readNode))
      count = left
    } else {
      proof.push(rangeRoot(start, left, readNode))
      start += left
      count -= left
      isOldRoot = false
    }
  }
  if (!isOldRoot) proof.push(rangeRoot(start, count, readNode))
  return proof.reverse()
}

export interface ConsistencyClaim {
  readonly oldSize: number
  readonly oldRoot: Uint8Array
  readonly size: number
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** RFC 9162, section 2.1.4.2, and the two cases that need no proof. A malformed claim is a false one. */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { oldSize, oldRoot, size, root, proof } = claim
  if (!isCount(oldSize) || !isCount(size) || oldSize > size) return false
  if (oldSize === size) return proof.length === 0 && isSame(oldRoot, root)
  if (oldSize === 0) return proof.length === 0 && isSame(oldRoot, emptyRoot)
  // A perfect old tree is a node of the new one: its root is the first hash of the path.
  const isPerfect = largestPerfectWidth(oldSize).width === oldSize
  const [first, ...path] = isPerfect ? [oldRoot, ...proof] : proof
  if (first === undefined || path.length === 0) return false

  let node = oldSize - 1
  let last = size - 1
  while (node % 2 === 1) {
    node = half(node)
    last = half(last)
  }
  let oldHash = first
  let newHash = first
  for (const hash of path) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      oldHash = nodeHash(hash, oldHash)
      newHash = nodeHash(hash, newHash)
      while (node % 2 === 0 && node !== 0) {
        node /= 2
        last = half(last)
      }
    } else {
      newHash = nodeHash(newHash, hash)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0 && isSame(oldHash, oldRoot) && isSame(newHash, root)
}

/** The root over the leaves [start, start + count); `start` must be a multiple of the width that holds `count`. */
function rangeRoot(start: number, count: number, readNode: NodeReader): Hash {
  const { width, level } = largestPerfectWidth(count)
  const left = readNode(level, start / width)
  return width === count ? left : nodeHash(left, rangeRoot(start + width, count - width, readNode))
}

/** The `k` of RFC 6962: the largest power of two below `count`. */
const leftWidth = (count: number): number => largestPerfectWidth(count - 1).width

const half = (value: number): number => Math.floor(value / 2)
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const isSame = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0
