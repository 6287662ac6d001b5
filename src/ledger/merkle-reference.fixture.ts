import { createHash } from 'node:crypto'
import type { NodeReader } from './merkle.ts'

// What the tests of the tree compare with: RFC 6962, section 2.1, written down word for word, with hashing of
// its own, in O(n) and recursive; and the test tree of the Certificate Transparency implementations.

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const split = (count: number): number => {
  let width = 1
  while (width * 2 < count) width *= 2
  return width
}

/** MTH(D[n]). */
export function naiveRoot(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves
  if (first === undefined) return sha256()
  if (leaves.length === 1) return sha256(Buffer.from([0]), first)
  const left = split(leaves.length)
  return sha256(Buffer.from([1]), naiveRoot(leaves.slice(0, left)), naiveRoot(leaves.slice(left)))
}

/** SUBPROOF(m, D[n], b). */
export function naiveSubproof(oldSize: number, leaves: readonly Buffer[], isOldRoot: boolean): Buffer[] {
  if (oldSize === leaves.length) return isOldRoot ? [] : [naiveRoot(leaves)]
  const left = split(leaves.length)
  return oldSize <= left
    ? [...naiveSubproof(oldSize, leaves.slice(0, left), isOldRoot), naiveRoot(leaves.slice(left))]
    : [...naiveSubproof(oldSize - left, leaves.slice(left), false), naiveRoot(leaves.slice(0, left))]
}

/** Answers for perfect subtrees inside the tree only, as a store can. */
export const treeOf =
  (leaves: readonly Buffer[]): NodeReader =>
  (level, index) => {
    const range = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)
    if (range.length !== 2 ** level) throw new RangeError(`node (${level}, ${index}) is not complete`)
    return naiveRoot(range)
  }

export const ctLeaves: readonly Buffer[] = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'))

/** By number of leaves, from 0. */
export const ctRoots: readonly string[] = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
