import { BasaltError } from '../errors.ts'
import { appendLeaf, emptyFrontier, type Frontier, leafHash, rootOf } from './merkle.ts'
import { eventLeaf, type StoredEvent } from './sealed-event.ts'

/** `position`: the first event that is wrong; null when that is not known. */
export const tampered = (position: number | null, fact: string, cause?: unknown): BasaltError =>
  new BasaltError('ledger.tampered', {
    message: position === null ? `the ledger was changed: ${fact}` : `event ${position}: ${fact}`,
    remedy:
      'Stop the server, keep the file as evidence and restore the ledger from a backup; then run `basalt audit verify`.',
    details: { position },
    cause,
  })

/**
 * Takes the stored events in their order and recomputes everything. Throws `ledger.tampered` with the first
 * position that is wrong. What it cannot see: a ledger whose end was cut off, or that was rewritten with fitting
 * hashes; that shows only beside a tree head that was kept elsewhere (merkle-proof.ts).
 */
export class LedgerVerifier {
  #frontier: Frontier = emptyFrontier
  readonly #versions = new Map<string, number>()

  get size(): number {
    return this.#frontier.size
  }

  event(event: StoredEvent): void {
    const position = this.#frontier.size + 1
    if (event.position !== position)
      throw tampered(position, `it is missing; event ${event.position} is stored in its place`)
    const leaf = leafHash(eventLeaf(event))
    if (!leaf.equals(event.leafHash)) throw tampered(position, 'its content does not match its leaf hash')
    const version = (this.#versions.get(event.stream) ?? 0) + 1
    if (event.version !== version)
      throw tampered(position, `it has version ${event.version} of ${event.stream}, not ${version}`)
    this.#versions.set(event.stream, version)

    const { frontier, completed } = appendLeaf(this.#frontier, leaf)
    if (!Buffer.concat(completed).equals(event.nodeHashes))
      throw tampered(position, 'the tree nodes that are stored with it are not those of the events before it')
    if (!rootOf(frontier).equals(event.rootHash))
      throw tampered(position, 'the root hash that was recorded with it is not that of the events up to it')
    this.#frontier = frontier
  }

  /** All events were given: there must be `size` of them. */
  end(size: number): Buffer {
    if (this.#frontier.size < size)
      throw tampered(this.#frontier.size + 1, `it is missing; the ledger had ${size} events`)
    return rootOf(this.#frontier)
  }
}
