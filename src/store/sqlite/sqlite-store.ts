import type Database from 'better-sqlite3'
import type { Op } from '../../core/op.ts'
import { BasaltError } from '../../errors.ts'
import { tampered } from '../../ledger/ledger-verifier.ts'
import { type Frontier, rootOf } from '../../ledger/merkle.ts'
import { type AppendDraft, draftAppend } from '../append-draft.ts'
import { type DecidedAppends, decideAppends } from '../decide-appends.ts'
import { createGroupCommit, type GroupCommit, type Outcome } from '../group-commit.ts'
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
import { prepareEventTable } from './event-table.ts'
import { loadEnd } from './load-end.ts'
import { openDatabase } from './open-database.ts'
import { sqliteError } from './sqlite-error.ts'
import { type LedgerFile, verifyFile } from './verify-file.ts'
import { reserveWal, walReserveBytes, walWorkingBytes } from './wal-reserve.ts'

export interface SqliteStoreOptions {
  /** The ledger's file; made with mode 0600 when it is absent. Its folder must exist. */
  readonly path: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * Opens the ledger in a SQLite file, for this process alone. Throws `store.locked`, `store.newer-format`,
 * `store.older-format`, `store.unavailable`, `host.disk-full`.
 *
 * A ledger that does not fit its last root hash opens all the same, so that it can be read and verified;
 * but it takes no appends.
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const { path } = options
  const database = openDatabase(path)
  try {
    database.pragma('wal_checkpoint(PASSIVE)')
    database.pragma(`journal_size_limit = ${walReserveBytes}`)
    reserveWal(`${path}-wal`)
    const file = { database, events: prepareEventTable(database) }
    return new SqliteStore(options, file)
  } catch (error) {
    database.close()
    throw sqliteError(path, error)
  }
}

const readPageSize = 500

class SqliteStore implements Store {
  readonly #path: string
  readonly #now: () => number
  readonly #file: LedgerFile
  readonly #versions = new Map<string, number>()
  readonly #commits: GroupCommit<AppendDraft, Appended>
  readonly #write: Database.Transaction<(decided: DecidedAppends) => void>
  #frontier: Frontier
  #walBytes = 0
  /** Why no more appends are taken; null while they are. */
  #refusal: BasaltError | null

  constructor({ path, now }: SqliteStoreOptions, file: LedgerFile) {
    this.#path = path
    this.#now = now
    this.#file = file
    const end = loadEnd(file, path)
    this.#frontier = end.frontier
    this.#refusal = end.refusal
    this.#commits = createGroupCommit((drafts) => this.#commit(drafts))
    this.#write = file.database.transaction(({ events }: DecidedAppends) => {
      for (const event of events) file.events.insert(event)
    })
  }

  async append(stream: StreamName, expectedVersion: number, events: readonly NewEvent[]): Promise<Appended> {
    const draft = draftAppend(stream, expectedVersion, events)
    this.#assertOpen()
    return this.#commits.submit(draft)
  }

  read(from: Position, op: Op): AsyncIterable<LedgerEvent> {
    const to = this.#use(() => this.#file.events.lastPosition())
    return this.#read(from, to, op)
  }

  async *#read(from: Position, to: Position, op: Op): AsyncGenerator<LedgerEvent> {
    let after = from
    while (after < to) {
      throwIfAborted(op, 'reading the ledger')
      const events = this.#use(() => this.#file.events.read(after, to, readPageSize))
      for (const event of events) {
        after += 1
        if (event.position !== after) throw tampered(after, 'it is missing')
        yield event
      }
      if (events.length === 0) throw tampered(after + 1, 'it is missing')
    }
  }

  async head(): Promise<TreeHead> {
    this.#assertOpen()
    if (this.#refusal?.code === 'ledger.tampered') throw this.#refusal
    return { size: this.#frontier.size, rootHash: rootOf(this.#frontier).toString('hex') }
  }

  async verify(op: Op, from: TreeHead | null = null): Promise<VerifiedHead> {
    const head = await verifyFile(this.#file, this.#frontier.size, (work) => this.#use(work), op)
    return this.#use(() => verifiedHead(head, from, this.#file.events.readNode))
  }

  async close(): Promise<void> {
    if (!this.#file.database.open) return
    this.#commits.flush()
    this.#checkpoint()
    this.#file.database.close()
  }

  #commit(drafts: readonly AppendDraft[]): readonly Outcome<Appended>[] {
    try {
      this.#assertWritable()
      const end = { frontier: this.#frontier, versionOf: (stream: string) => this.#versionOf(stream) }
      const decided = decideAppends(end, drafts, this.#now())
      if (decided.events.length > 0) this.#writeDurably(decided)
      return decided.outcomes
    } catch (cause) {
      const error = sqliteError(this.#path, cause)
      const isHarmless = error.code === 'host.disk-full' || error.kind === 'bug'
      if (!isHarmless) this.#refusal ??= error
      // What fails for one because it is too large may succeed for its neighbours.
      if (isHarmless && drafts.length > 1) return drafts.flatMap((draft) => this.#commit([draft]))
      return drafts.map(() => ({ ok: false, error }))
    }
  }

  #writeDurably(decided: DecidedAppends): void {
    const [only, ...more] = decided.events
    // A lone insert is a transaction by itself.
    if (only !== undefined && more.length === 0) this.#file.events.insert(only)
    else this.#write.immediate(decided)
    this.#frontier = decided.frontier
    for (const [stream, version] of decided.versions) this.#versions.set(stream, version)
    this.#walBytes += walBytesOf(decided)
    if (this.#walBytes > walWorkingBytes) this.#checkpoint()
  }

  /** Moves committed pages from the write-ahead log into the file. Never fails what is durable already. */
  #checkpoint(): void {
    try {
      this.#file.database.pragma('wal_checkpoint(PASSIVE)')
      this.#walBytes = 0
    } catch (cause) {
      const error = sqliteError(this.#path, cause)
      if (error.code !== 'host.disk-full') this.#refusal ??= error
    }
  }

  #versionOf(stream: string): number {
    return this.#versions.get(stream) ?? this.#file.events.lastVersion(stream)
  }

  #use<Result>(work: () => Result): Result {
    this.#assertOpen()
    try {
      return work()
    } catch (error) {
      throw sqliteError(this.#path, error)
    }
  }

  #assertOpen(): void {
    if (!this.#file.database.open)
      throw new BasaltError('store.unavailable', { message: `${this.#path} is closed` })
  }

  #assertWritable(): void {
    if (this.#refusal === null) return
    const { code, message, remedy, details } = this.#refusal
    throw new BasaltError(code, {
      message: `the ledger takes no more events: ${message}`,
      ...(remedy === undefined ? {} : { remedy }),
      details,
      cause: this.#refusal,
    })
  }
}

/** About what a commit adds to the log: a page each of events and index, and the events themselves. */
function walBytesOf({ events }: DecidedAppends): number {
  let bytes = 2 * 4096
  for (const { data } of events) bytes += 2 * (data.length + 256)
  return bytes
}
