import type Database from 'better-sqlite3'

/** Where a commit ended. */
export interface RecordedHead {
  readonly number: number
  readonly size: number
  readonly rootHash: unknown
}

/** The statements on `heads`. */
export type HeadTable = ReturnType<typeof prepareHeadTable>

export function prepareHeadTable(database: Database.Database) {
  const insert = database.prepare('INSERT INTO heads (number, size, root_hash) VALUES (?, ?, ?)')
  const columns = 'SELECT number, size, root_hash AS rootHash FROM heads'
  const page = database.prepare<number[], RecordedHead>(`${columns} WHERE number > ? ORDER BY number LIMIT ?`)
  const last = database.prepare<[], RecordedHead>(`${columns} ORDER BY number DESC LIMIT 1`)

  return {
    insert: (number: number, size: number, rootHash: Uint8Array): void => {
      insert.run(number, size, rootHash)
    },
    last: (): RecordedHead | null => last.get() ?? null,
    read: (after: number, limit: number): RecordedHead[] => page.all(after, limit),
  }
}
