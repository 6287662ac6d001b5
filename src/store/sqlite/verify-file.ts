import { setImmediate as nextTurn } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import type { Op } from '../../core/op.ts'
import { LedgerVerifier, tampered } from '../../ledger/ledger-verifier.ts'
import type { TreeHead } from '../store.ts'
import { throwIfAborted } from '../throw-if-aborted.ts'
import type { EventTable } from './event-table.ts'
import type { HeadTable, RecordedHead } from './head-table.ts'
import { schema } from './schema.ts'

export interface LedgerFile {
  readonly database: Database.Database
  readonly events: EventTable
  readonly heads: HeadTable
}

/** How far a file is verified, and what must be there: later appends may go on meanwhile. */
export interface VerifiedExtent {
  readonly size: number
  readonly heads: number
}

/** Small: other work waits while a page is read and hashed. */
const pageSize = 100

/**
 * Reads the whole ledger back and recomputes it; gives way to other work between pages. Throws
 * `ledger.tampered`. `use` wraps each access to the file.
 */
export async function verifyFile(
  file: LedgerFile,
  extent: VerifiedExtent,
  use: <Result>(work: () => Result) => Result,
  op: Op,
): Promise<TreeHead> {
  const verifier = new LedgerVerifier()
  const heads = new HeadCursor(file.heads)
  // What SQLite has cached must not hide what has become of the file.
  use(() => file.database.pragma('shrink_memory'))
  let limit = pageSize
  while (verifier.size < extent.size) {
    throwIfAborted(op, 'verifying the ledger')
    limit = use(() => verifyPage(file, verifier, heads, { to: extent.size, limit }))
    await nextTurn()
  }
  return use(() => {
    const rootHash = verifier.end(extent.size).toString('hex')
    heads.end(extent)
    const stored = file.events.count(extent.size)
    if (stored !== extent.size) throw tampered(null, `${stored} events are stored, not ${extent.size}`)
    // The index has no order by position: its count is of all events, of those after `extent` too.
    const entries = file.events.indexCount() - (file.events.lastPosition() - extent.size)
    if (entries !== extent.size)
      throw tampered(null, `the index of the streams has ${entries} entries, not ${extent.size}`)
    verifySchema(file.database)
    return { size: verifier.size, rootHash }
  })
}

/** Gives the limit for the next page: 1 after a page that cannot be read, to find the event that is damaged. */
function verifyPage(
  file: LedgerFile,
  verifier: LedgerVerifier,
  heads: HeadCursor,
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
    for (const head of heads.take(verifier.size)) verifier.head(head)
  }
  return page.limit
}

/** Walks the recorded heads beside the events. */
class HeadCursor {
  readonly #table: HeadTable
  #page: RecordedHead[] = []
  #taken = 0
  #size = 0

  constructor(table: HeadTable) {
    this.#table = table
  }

  /** The root hashes that were recorded at a size; sizes must rise from call to call. */
  *take(size: number): Generator<Uint8Array> {
    for (;;) {
      if (this.#page.length === 0) this.#page = this.#table.read(this.#taken, pageSize)
      const [head] = this.#page
      if (head === undefined || head.size > size) return
      this.#page.shift()
      this.#taken += 1
      this.#size = size
      if (head.number !== this.#taken || head.size < size || !(head.rootHash instanceof Uint8Array))
        throw tampered(null, `record ${this.#taken} of where a commit ended is missing or changed`)
      yield head.rootHash
    }
  }

  end(extent: VerifiedExtent): void {
    if (this.#taken !== extent.heads)
      throw tampered(
        null,
        `${this.#taken} records of where commits ended fit the events, not ${extent.heads}`,
      )
    if (this.#size !== extent.size)
      throw tampered(this.#size + 1, `no commit of it is recorded; the last one ended at ${this.#size}`)
  }
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
