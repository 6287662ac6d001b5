import { hash as digest } from 'node:crypto'
import { invariant } from '../errors.ts'

/**
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256. Hashes are 32 bytes. A node (level, index) is the
 * root of the perfect subtree over the leaves [index * 2^level, (index + 1) * 2^level); level 0 is the leaves.
 */
export type Hash = Buffer

const leafPrefix = 0
const nodePrefix = 1

export function leafHash(leaf: Uint8Array): Hash {
  const bytes = Buffer.allocUnsafe(1 + leaf.length)
  bytes[0] = leafPrefix
  bytes.set(leaf, 1)
  return sha256(bytes)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Hash {
  const bytes = Buffer.allocUnsafe(1 + left.length + right.length)
  bytes[0] = nodePrefix
  bytes.set(left, 1)
  bytes.set(right, 1 + left.length)
  return sha256(bytes)
}

/** By way of hex: half the time of letting node:crypto make the Buffer. */
function sha256(bytes: Uint8Array): Hash {
  return Buffer.from(digest('sha256', bytes, 'hex'), 'hex')
}

/** The root of a tree without leaves. */
export const emptyRoot: Hash = sha256(Buffer.alloc(0))

/**
 * All of a tree that is needed to append to it and to know its root: the roots of the perfect subtrees that it
 * consists of, the largest first; one for each bit set in `size`.
 */
export interface Frontier {
  readonly size: number
  readonly hashes: readonly Hash[]
}

export const emptyFrontier: Frontier = { size: 0, hashes: [] }

export interface AppendedLeaf {
  readonly frontier: Frontier
  /** The inner nodes that this leaf completed: level 1 first. As many as `size` has trailing zero bits. */
  readonly completed: readonly Hash[]
}

/** Appends one leaf hash in O(log n). */
export function appendLeaf(frontier: Frontier, leaf: Hash): AppendedLeaf {
  const size = frontier.size + 1
  const hashes = [...frontier.hashes]
  const completed: Hash[] = []
  let top = leaf
  for (let width = 2; size % width === 0; width *= 2) {
    const left = hashes.pop()
    invariant(left !== undefined, `a frontier of ${frontier.size} leaves lacks a hash`)
    top = nodeHash(left, top)
    completed.push(top)
  }
  hashes.push(top)
  return { frontier: { size, hashes }, completed }
}

/** The root hash: MTH of RFC 6962. */
export function rootOf(frontier: Frontier): Hash {
  const { hashes } = frontier
  const last = hashes.at(-1)
  if (last === undefined) return emptyRoot
  return hashes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last)
}

/** Gives the hash of a perfect subtree. Never asked for one that reaches beyond the tree's size. */
export type NodeReader = (level: number, index: number) => Hash

/** The frontier of a tree whose nodes are kept elsewhere; reads O(log n) of them. */
export function loadFrontier(size: number, readNode: NodeReader): Frontier {
  const hashes: Hash[] = []
  let start = 0
  while (start < size) {
    const { width, level } = largestPerfectWidth(size - start)
    hashes.push(readNode(level, start / width))
    start += width
  }
  return { size, hashes }
}

/** The largest power of two that is at most `count`, and its exponent. Not by bit operators: they end at 2^31. */
export function largestPerfectWidth(count: number): { readonly width: number; readonly level: number } {
  let width = 1
  let level = 0
  while (width * 2 <= count) {
    width *= 2
    level += 1
  }
  return { width, level }
}
