import type { Op } from '../../core/op.ts'
import { BasaltError, invariant } from '../../errors.ts'
import { LedgerVerifier } from '../../ledger/ledger-verifier.ts'
import { emptyFrontier, type Frontier, rootOf } from '../../ledger/merkle.ts'
import { nodeReader, type SealedEvent } from '../../ledger/sealed-event.ts'
import { draftAppend } from '../append-draft.ts'
import { decideAppends } from '../decide-appends.ts'
import { ledgerEvent } from '../ledger-event.ts'
import type {
  Appended,
  LedgerEvent,
  NewEvent,
  Position,
  Store,
  StreamName,
  TreeHead,
  VerifiedHead,
} from '../store.ts'
import { throwIfAborted } from '../throw-if-aborted.ts'
import { verifiedHead } from '../verified-head.ts'

/** A ledger that ends with its process: for simulations, tests and trying things out. */
export function createMemoryStore(options: {
  /** Milliseconds since the epoch. */
  readonly now: () => number
}): Store {
  return new MemoryStore(options.now)
}

class MemoryStore implements Store {
  readonly #now: () => number
  readonly #events: SealedEvent[] = []
  readonly #versions = new Map<string, number>()
  #frontier: Frontier = emptyFrontier
  readonly #readNode = nodeReader((position) => {
    const event = this.#events[position - 1]
    invariant(event !== undefined, `the ledger in memory has no event ${position}`)
    return event
  })
  #isOpen = true

  constructor(now: () => number) {
    this.#now = now
  }

  async append(stream: StreamName, expectedVersion: number, events: readonly NewEvent[]): Promise<Appended> {
    const draft = draftAppend(stream, expectedVersion, events)
    this.#assertOpen()
    const end = { frontier: this.#frontier, versionOf: (name: string) => this.#versions.get(name) ?? 0 }
    const decided = decideAppends(end, [draft], this.#now())
    this.#frontier = decided.frontier
    for (const event of decided.events) this.#events.push(event)
    for (const [name, version] of decided.versions) this.#versions.set(name, version)
    const [outcome] = decided.outcomes
    invariant(outcome !== undefined, 'an append has no outcome')
    if (!outcome.ok) throw outcome.error
    return outcome.value
  }

  read(from: Position, op: Op): AsyncIterable<LedgerEvent> {
    return this.#read(from, this.#events.length, op)
  }

  async *#read(from: Position, to: Position, op: Op): AsyncGenerator<LedgerEvent> {
    for (const event of this.#events.slice(from, to)) {
      throwIfAborted(op, 'reading the ledger')
      this.#assertOpen()
      yield ledgerEvent(event)
    }
  }

  async head(): Promise<TreeHead> {
    this.#assertOpen()
    return { size: this.#frontier.size, rootHash: rootOf(this.#frontier).toString('hex') }
  }

  async verify(op: Op, from: TreeHead | null = null): Promise<VerifiedHead> {
    this.#assertOpen()
    throwIfAborted(op, 'verifying the ledger')
    const verifier = new LedgerVerifier()
    for (const event of this.#events) verifier.event({ ...event, data: Buffer.from(event.data) })
    const head = { size: verifier.size, rootHash: verifier.end(this.#frontier.size).toString('hex') }
    return verifiedHead(head, from, this.#readNode)
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #assertOpen(): void {
    if (!this.#isOpen)
      throw new BasaltError('store.unavailable', { message: 'the ledger in memory is closed' })
  }
}
