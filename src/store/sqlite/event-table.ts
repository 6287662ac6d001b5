import type Database from 'better-sqlite3'
import { tampered } from '../../ledger/ledger-verifier.ts'
import type { Frontier, NodeReader } from '../../ledger/merkle.ts'
import { loadFrontier } from '../../ledger/merkle.ts'
import {
  type EventFields,
  nodeReader,
  type SealedEvent,
  type StoredEvent,
} from '../../ledger/sealed-event.ts'
import { ledgerEvent } from '../ledger-event.ts'
import type { LedgerEvent } from '../store.ts'

/** The statements on `events`. Rows are checked when they are read: the file may have been edited. */
export type EventTable = ReturnType<typeof prepareEventTable>

interface Row extends EventFields {
  readonly leaf_hash: unknown
  readonly node_hashes: unknown
  readonly root_hash: unknown
  readonly data: unknown
  readonly indexed_position?: unknown
}

export function prepareEventTable(database: Database.Database) {
  const insert = database.prepare(
    'INSERT INTO events (position, stream, version, at, type, leaf_hash, node_hashes, root_hash, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const page = 'FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?'
  const columns = 'position, stream, version, at, type, leaf_hash'
  const text = database.prepare<number[], Row>(`SELECT ${columns}, data ${page}`)
  // A blob keeps bytes that are not UTF-8, which a string would replace.
  const bytes = database.prepare<number[], Row>(
    `SELECT ${columns}, node_hashes, root_hash, CAST(data AS BLOB) AS data, (
      SELECT position FROM events AS indexed INDEXED BY sqlite_autoindex_events_1
      WHERE indexed.stream = events.stream AND indexed.version = events.version
    ) AS indexed_position ${page}`,
  )
  const hashes = database.prepare<number[], Row>(
    'SELECT leaf_hash, node_hashes, root_hash FROM events WHERE position = ?',
  )
  const indexCount = database
    .prepare<[], number>('SELECT count(*) FROM events INDEXED BY sqlite_autoindex_events_1')
    .pluck()
  const lastPosition = database.prepare<[], number | null>('SELECT max(position) FROM events').pluck()
  const count = database.prepare<number[], number>('SELECT count(*) FROM events WHERE position <= ?').pluck()
  const lastVersion = database
    .prepare<string[], number | null>('SELECT max(version) FROM events WHERE stream = ?')
    .pluck()

  const hashesAt = (position: number) => {
    const row = hashes.get(position)
    if (row === undefined) throw tampered(position, 'it is missing')
    return {
      leafHash: bytesOf(row.leaf_hash, position, 'leaf hash'),
      nodeHashes: bytesOf(row.node_hashes, position, 'tree nodes'),
      rootHash: bytesOf(row.root_hash, position, 'root hash'),
    }
  }

  const readNode: NodeReader = nodeReader(hashesAt)

  return {
    insert: ({
      position,
      stream,
      version,
      at,
      type,
      leafHash,
      nodeHashes,
      rootHash,
      data,
    }: SealedEvent): void => {
      insert.run(position, stream, version, at, type, leafHash, nodeHashes, rootHash, data)
    },
    lastPosition: (): number => lastPosition.get() ?? 0,
    lastVersion: (stream: string): number => lastVersion.get(stream) ?? 0,
    /** Of the events with positions up to `to`. */
    count: (to: number): number => count.get(to) ?? 0,
    /** Of the entries in the index of streams and versions, of all events. */
    indexCount: (): number => indexCount.get() ?? 0,
    /** The frontier of the tree over the first `size` events, from O(log n) rows. */
    frontier: (size: number): Frontier => loadFrontier(size, readNode),
    /** The root hash that was stored with an event. */
    rootHash: (position: number): Uint8Array => hashesAt(position).rootHash,
    /** Any node of that tree. */
    readNode,
    /** At most `limit` events with positions in (from, to]. */
    read: (from: number, to: number, limit: number): LedgerEvent[] => text.all(from, to, limit).map(readable),
    /** The same, with all that verification needs. */
    readStored: (from: number, to: number, limit: number): IndexedEvent[] =>
      bytes.all(from, to, limit).map(storedEvent),
  }
}

function readable(row: Row): LedgerEvent {
  const leafHash = bytesOf(row.leaf_hash, row.position, 'leaf hash')
  try {
    return ledgerEvent({ ...row, data: String(row.data), leafHash })
  } catch (error) {
    throw tampered(row.position, 'its data is not JSON', error)
  }
}

/** With whether the index of streams and versions leads to it. */
export interface IndexedEvent extends StoredEvent {
  readonly isIndexed: boolean
}

const storedEvent = (row: Row): IndexedEvent => ({
  ...row,
  data: bytesOf(row.data, row.position, 'data'),
  leafHash: bytesOf(row.leaf_hash, row.position, 'leaf hash'),
  nodeHashes: bytesOf(row.node_hashes, row.position, 'tree nodes'),
  rootHash: bytesOf(row.root_hash, row.position, 'root hash'),
  isIndexed: row.indexed_position === row.position,
})

function bytesOf(value: unknown, position: number, column: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw tampered(position, `its ${column} is not stored as bytes`)
}
