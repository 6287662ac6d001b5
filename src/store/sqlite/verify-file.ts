import { setImmediate as nextTurn } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import type { Op } from '../../core/op.ts'
import { LedgerVerifier, tampered } from '../../ledger/ledger-verifier.ts'
import type { TreeHead } from '../store.ts'
import { throwIfAborted } from '../throw-if-aborted.ts'
import type { EventTable } from './event-table.ts'
import { schema } from './schema.ts'

export interface LedgerFile {
  readonly database: Database.Database
  readonly events: EventTable
}

/** Small: other work waits while a page is read and hashed. */
const pageSize = 100

/**
 * Reads the ledger of `size` events back and recomputes it; gives way to other work between pages, and later appends
 * may go on meanwhile. Throws `ledger.tampered`. `use` wraps each access to the file.
 */
export async function verifyFile(
  file: LedgerFile,
  size: number,
  use: <Result>(work: () => Result) => Result,
  op: Op,
): Promise<TreeHead> {
  const verifier = new LedgerVerifier()
  // What SQLite has cached must not hide what has become of the file.
  use(() => file.database.pragma('shrink_memory'))
  let limit = pageSize
  while (verifier.size < size) {
    throwIfAborted(op, 'verifying the ledger')
    limit = use(() => verifyPage(file, verifier, { to: size, limit }))
    await nextTurn()
  }
  return use(() => {
    const rootHash = verifier.end(size).toString('hex')
    const stored = file.events.count(size)
    if (stored !== size) throw tampered(null, `${stored} events are stored, not ${size}`)
    // The index has no order by position: its count is of all events, of those after `size` too.
    const entries = file.events.indexCount() - (file.events.lastPosition() - size)
    if (entries !== size) throw tampered(null, `the index of the streams has ${entries} entries, not ${size}`)
    verifySchema(file.database)
    return { size: verifier.size, rootHash }
  })
}

/** Gives the limit for the next page: 1 after a page that cannot be read, to find the event that is damaged. */
function verifyPage(
  file: LedgerFile,
  verifier: LedgerVerifier,
  page: { readonly to: number; readonly limit: number },
): number {
  let events
  try {
    events = file.events.readStored(verifier.size, page.to, page.limit)
  } catch (error) {
    if (page.limit > 1) return 1
    throw tampered(verifier.size + 1, 'it cannot be read', error)
  }
  if (events.length === 0) verifier.end(page.to)
  for (const event of events) {
    verifier.event(event)
    // It decides which versions a stream accepts, and no hash covers it.
    if (!event.isIndexed) throw tampered(event.position, 'the index of the streams does not lead to it')
  }
  return page.limit
}

/** Someone who edits the file has to take the guards away first. */
function verifySchema(database: Database.Database): void {
  const stored = database
    .prepare<[], string>('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL')
    .pluck()
    .all()
  for (const statement of schema)
    if (!stored.includes(statement))
      throw tampered(null, `the file lacks "${statement.slice(0, statement.indexOf('\n'))}"`)
  if (stored.length !== schema.length) throw tampered(null, 'the file has tables or triggers of others')
}
