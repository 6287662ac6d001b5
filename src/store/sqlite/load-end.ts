import type { BasaltError } from '../../errors.ts'
import { tampered } from '../../ledger/ledger-verifier.ts'
import { type Frontier, rootOf } from '../../ledger/merkle.ts'
import { sqliteError } from './sqlite-error.ts'
import type { LedgerFile } from './verify-file.ts'

export interface StoredEnd {
  readonly frontier: Frontier
  /** Set when the file contradicts itself: then of the frontier only the size is known. */
  readonly refusal: BasaltError | null
}

/** Where the ledger in a file ends, in O(log n), checked against the root hash of its last event. */
export function loadEnd({ events }: LedgerFile, path: string): StoredEnd {
  let size = 0
  try {
    size = events.lastPosition()
    const frontier = events.frontier(size)
    if (size > 0 && !rootOf(frontier).equals(events.rootHash(size)))
      throw tampered(size, 'the root hash that was recorded with it is not that of the events up to it')
    return { frontier, refusal: null }
  } catch (cause) {
    const refusal = sqliteError(path, cause)
    if (refusal.code !== 'ledger.tampered') throw refusal
    return { frontier: { size, hashes: [] }, refusal }
  }
}
