import type { BasaltError } from '../../errors.ts'
import { tampered } from '../../ledger/ledger-verifier.ts'
import { type Frontier, rootOf } from '../../ledger/merkle.ts'
import { sqliteError } from './sqlite-error.ts'
import type { LedgerFile } from './verify-file.ts'

export interface StoredEnd {
  readonly frontier: Frontier
  /** How many heads are recorded. */
  readonly heads: number
  /** Set when the file contradicts itself: then `frontier.size` is the largest size that it speaks of. */
  readonly refusal: BasaltError | null
}

/** Where the ledger in a file ends, in O(log n), checked against the last recorded head. */
export function loadEnd({ events, heads }: LedgerFile, path: string): StoredEnd {
  let count = 0
  let recorded = 0
  let size = 0
  try {
    const head = heads.last()
    count = head?.number ?? 0
    recorded = head?.size ?? 0
    size = events.lastPosition()
    if (size !== recorded)
      throw tampered(
        Math.min(size, recorded) + 1,
        `the ledger ends at ${size}, but its last commit at ${recorded}`,
      )
    const frontier = events.frontier(size)
    if (head !== null && !(head.rootHash instanceof Uint8Array && rootOf(frontier).equals(head.rootHash)))
      throw tampered(size, 'the root hash of the last commit is not that of the events up to it')
    return { frontier, heads: count, refusal: null }
  } catch (cause) {
    const refusal = sqliteError(path, cause)
    if (refusal.code !== 'ledger.tampered') throw refusal
    const frontier = { size: Math.max(size, recorded), hashes: [] }
    return { frontier, heads: count, refusal }
  }
}
