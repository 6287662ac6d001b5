import { BasaltError } from '../errors.ts'
import type { Frontier } from '../ledger/merkle.ts'
import { type SealedEvent, sealEvents } from '../ledger/sealed-event.ts'
import type { AppendDraft } from './append-draft.ts'
import type { Outcome } from './group-commit.ts'
import { ledgerEvent } from './ledger-event.ts'
import type { Appended } from './store.ts'

/** Where the ledger and its streams end before an append. */
export interface LedgerEnd {
  readonly frontier: Frontier
  readonly versionOf: (stream: string) => number
}

export interface DecidedAppends {
  readonly frontier: Frontier
  /** The new versions of the streams that grow. */
  readonly versions: ReadonlyMap<string, number>
  /** What must be written, in order. */
  readonly events: readonly SealedEvent[]
  /** One for each draft: where it ended, or its `store.conflict`. True once `events` are written. */
  readonly outcomes: readonly Outcome<Appended>[]
}

/** Decides appends one after the other, each as if those before it were written already. Pure. */
export function decideAppends(end: LedgerEnd, drafts: readonly AppendDraft[], at: number): DecidedAppends {
  let frontier = end.frontier
  const versions = new Map<string, number>()
  const events: SealedEvent[] = []
  const outcomes = drafts.map((draft): Outcome<Appended> => {
    const version = versions.get(draft.stream) ?? end.versionOf(draft.stream)
    if (draft.expectedVersion !== version) return { ok: false, error: conflict(draft, version) }
    const sealed = sealEvents(frontier, { stream: draft.stream, version, at }, draft.events)
    frontier = sealed.frontier
    versions.set(draft.stream, version + draft.events.length)
    for (const event of sealed.events) events.push(event)
    return {
      ok: true,
      value: {
        position: frontier.size,
        version: version + draft.events.length,
        events: sealed.events.map(ledgerEvent),
      },
    }
  })
  return { frontier, versions, events, outcomes }
}

const conflict = ({ stream, expectedVersion }: AppendDraft, version: number): BasaltError =>
  new BasaltError('store.conflict', {
    message: `${stream} is at version ${version}, not ${expectedVersion}: another writer was first`,
    remedy: 'Try again; `basalt history` shows what happened in between.',
    details: { stream, expectedVersion, version },
  })
