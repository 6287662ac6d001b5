import { tampered } from '../ledger/ledger-verifier.ts'
import type { NodeReader } from '../ledger/merkle.ts'
import { consistencyProof, verifyConsistency } from '../ledger/merkle-proof.ts'
import type { TreeHead, VerifiedHead } from './store.ts'

/**
 * Holds a head that was just recomputed against one that was kept elsewhere. Throws `ledger.tampered` unless the
 * events of the kept one are the first ones of this ledger.
 */
export function verifiedHead(head: TreeHead, from: TreeHead | null, readNode: NodeReader): VerifiedHead {
  if (from === null) return { ...head, continues: null }
  if (from.size > head.size)
    throw tampered(head.size + 1, `it is missing; the ledger had ${from.size} events`)
  const proof = consistencyProof(from.size, head.size, readNode)
  const isContinuation = verifyConsistency({
    oldSize: from.size,
    oldRoot: Buffer.from(from.rootHash, 'hex'),
    size: head.size,
    root: Buffer.from(head.rootHash, 'hex'),
    proof,
  })
  if (!isContinuation)
    throw tampered(
      null,
      `of its ${head.size} events the first ${from.size} are not those of ${from.rootHash}`,
    )
  return { ...head, continues: { ...from, proof: proof.map((hash) => hash.toString('hex')) } }
}
