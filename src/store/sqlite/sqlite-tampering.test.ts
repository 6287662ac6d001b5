import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Op } from '../../core/op.ts'
import type { Store } from '../store.ts'
import { openSqliteStore } from './sqlite-store.ts'

const op: Op = { signal: new AbortController().signal }
const triggers = ['events_no_update', 'events_no_delete', 'events_at_the_end']
const size = 21

let folder: string
let path: string
let store: Store | null

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-sqlite-tampering-'))
  path = join(folder, 'ledger.db')
  store = openSqliteStore({ path, now: () => 1_700_000_000_000 })
  for (let version = 0; version < 7; version++) {
    await store.append('system/shop', version * 2, [step(version), step(version)])
    await store.append('environment/shop/staging', version, [step(version)])
  }
  await store.close()
  store = null
})

afterEach(async () => {
  await store?.close()
  await rm(folder, { recursive: true, force: true })
})

const step = (n: number) => ({ type: 'step-taken', data: { n, note: 'ausführlich' } })

/** Edits the closed file, as somebody does who knows SQLite: guards off, edit, guards on again. */
function edit(...statements: readonly string[]): void {
  const database = new Database(path)
  const guards = database
    .prepare<[], { sql: string }>("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")
    .all()
  for (const trigger of triggers) database.exec(`DROP TRIGGER ${trigger}`)
  for (const statement of statements) {
    database.exec(statement)
    expect(database.prepare('SELECT changes()').pluck().get()).toBeGreaterThan(0)
  }
  for (const { sql } of guards) database.exec(sql)
  database.close()
}

const reopen = (): Store => {
  store = openSqliteStore({ path, now: () => 1_700_000_000_000 })
  return store
}

const verifyAgain = () => reopen().verify(op)
const tamperedAt = (position: number | null) => ({ code: 'ledger.tampered', details: { position } })

describe('an edited ledger file', () => {
  it('verifies when the edit changed nothing', async () => {
    edit('UPDATE events SET at = at')
    expect(await reopen().verify(op)).toMatchObject({ size })
  })

  it.each([
    ["stream = 'system/shop2'"],
    ['version = version + 1000'],
    ['at = at + 1'],
    ['at = -at'],
    ["type = 'step-skipped'"],
    ["type = type || ' '"],
    [`data = '{"n":99,"note":"ausführlich"}'`],
    ["data = data || ' '"],
    ["data = ''"],
    ["data = CAST(CAST(data AS BLOB) || x'ff' AS TEXT)"],
    ['leaf_hash = randomblob(32)'],
    ["leaf_hash = x''"],
    ['root_hash = randomblob(32)'],
    ["root_hash = x''"],
    ['node_hashes = CAST(node_hashes || randomblob(32) AS BLOB)'],
    ['position = -position'],
    ['position = position + 1000'],
  ])('is found when %s at any position', async (assignment) => {
    const pristine = await readFile(path)
    for (const position of [1, 2, 8, 11, 20, 21]) {
      await writeFile(path, pristine)
      edit(`UPDATE events SET ${assignment} WHERE position = ${position}`)
      // The last one that was moved to before the beginning is one too many there.
      const isLost = position === size && assignment === 'position = -position'
      await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(isLost ? null : position))
      await store?.close()
    }
  })

  it('is found when a single bit is flipped, anywhere in a row', async () => {
    const pristine = await readFile(path)
    const columns = ['stream', 'type', 'leaf_hash', 'node_hashes', 'root_hash', 'data']
    const database = new Database(path)
    const row = database
      .prepare<[], Record<string, Buffer>>(
        `SELECT ${columns.map((column) => `CAST(${column} AS BLOB) AS ${column}`).join(', ')} FROM events WHERE position = 8`,
      )
      .get()!
    database.close()
    for (const column of columns) {
      const bytes = row[column]!
      for (let index = 0; index < bytes.length; index += 5) {
        const changed = Buffer.from(bytes)
        changed[index]! ^= 1 << (index % 8)
        await writeFile(path, pristine)
        const value = `x'${changed.toString('hex')}'`
        const cast = column.endsWith('hash') || column.endsWith('hashes') ? value : `CAST(${value} AS TEXT)`
        edit(`UPDATE events SET ${column} = ${cast} WHERE position = 8`)
        await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(8))
        await store?.close()
      }
    }
  })

  it('is found when events were deleted', async () => {
    const pristine = await readFile(path)
    for (const position of [1, 2, 8, 15]) {
      await writeFile(path, pristine)
      edit(`DELETE FROM events WHERE position = ${position}`)
      await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(position))
      await store?.close()
    }
  })

  it('is found when its end was cut off, if the head is kept elsewhere', async () => {
    const kept = await reopen().head()
    await store?.close()
    edit('DELETE FROM events WHERE position > 6')
    // What is left agrees with itself.
    expect(await reopen().verify(op)).toMatchObject({ size: 6, continues: null })
    await expect(store?.verify(op, kept)).rejects.toMatchObject(tamperedAt(7))
    await expect(store?.verify(op, kept)).rejects.toThrow('event 7: it is missing; the ledger had 21 events')
  })

  it('is found when everything was deleted, if the head is kept elsewhere', async () => {
    const kept = await reopen().head()
    await store?.close()
    edit('DELETE FROM events')
    expect(await reopen().verify(op)).toMatchObject({ size: 0 })
    await expect(store?.verify(op, kept)).rejects.toMatchObject(tamperedAt(1))
  })

  it('takes no more when its last root hash is not that of its events, and can still be read', async () => {
    edit('UPDATE events SET root_hash = randomblob(32) WHERE position = 21')
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(21))
    await expect(store?.append('system/shop', 14, [step(1)])).rejects.toMatchObject({
      code: 'ledger.tampered',
      details: { position: 21 },
    })
    await expect(store?.head()).rejects.toMatchObject({ code: 'ledger.tampered' })
    const read: number[] = []
    for await (const { position } of store!.read(0, op)) read.push(position)
    expect(read).toHaveLength(21)
  })

  it('is found when its end was cut off and written anew, if the head is kept elsewhere', async () => {
    const kept = await reopen().head()
    await store?.close()
    edit('DELETE FROM events WHERE position > 6')
    const forged = reopen()
    for (let version = 4; version < 24; version++) await forged.append('system/shop', version, [step(99)])
    expect(await forged.verify(op)).toMatchObject({ size: 26 })
    await expect(forged.verify(op, kept)).rejects.toMatchObject(tamperedAt(null))
    await expect(forged.verify(op, kept)).rejects.toThrow(`the first 21 are not those of ${kept.rootHash}`)
  })

  it('is found when two events changed places', async () => {
    edit(
      'UPDATE events SET position = 1000 WHERE position = 4',
      'UPDATE events SET position = 4 WHERE position = 5',
      'UPDATE events SET position = 5 WHERE position = 1000',
    )
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(4))
  })

  it('is found when an event was added at the end or before the beginning', async () => {
    const copy = (position: number, version: number) =>
      `INSERT INTO events SELECT ${position}, stream, ${version}, at, type, leaf_hash, node_hashes, root_hash, data FROM events WHERE position = 21`
    const pristine = await readFile(path)
    edit(copy(22, 8))
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(22))
    await store?.close()
    await writeFile(path, pristine)
    edit(copy(0, 0))
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(null))
  })

  it('is found when guards are missing or something was added beside the tables', async () => {
    const database = new Database(path)
    database.exec('DROP TRIGGER events_no_update')
    database.close()
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(null))
    await expect(store?.verify(op)).rejects.toThrow('the file lacks "CREATE TRIGGER events_no_update')
    await store?.close()

    const again = new Database(path)
    again.exec(
      "CREATE TRIGGER events_no_update BEFORE UPDATE ON events\nBEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
    )
    again.exec('CREATE TABLE more (a)')
    again.close()
    await expect(reopen().verify(op)).rejects.toThrow('tables or triggers of others')
  })

  it('names the event of a data page whose bytes were overwritten', async () => {
    const bytes = await readFile(path)
    const at = bytes.indexOf('{"n":4,')
    expect(at).toBeGreaterThan(0)
    bytes[at + 5] = 0x35
    await writeFile(path, bytes)
    // Pages fill from their end: the first match in the file is the youngest event with that data.
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(15))
  })

  it('is found when the index says another stream or version than the event', async () => {
    const bytes = await readFile(path)
    // An index entry is the stream, the version and the position, without a type or data behind it.
    const entry = Buffer.from('system/shop\x08\x0b')
    const at = bytes.indexOf(entry)
    expect(at).toBeGreaterThan(0)
    bytes[at + entry.length - 2] = 0x7e
    await writeFile(path, bytes)
    await expect(verifyAgain()).rejects.toMatchObject(tamperedAt(11))
    await expect(store!.verify(op)).rejects.toThrow('the index of the streams does not lead to it')
  })

  it('is found also when a page is beyond reading', async () => {
    const bytes = await readFile(path)
    const page = Math.floor(bytes.indexOf('{"n":4,') / 4096)
    bytes.fill(0xa5, page * 4096, page * 4096 + 200)
    await writeFile(path, bytes)
    await expect(reopen().verify(op)).rejects.toMatchObject({ code: 'ledger.tampered' })
  })

  it('is found while the store is open, whatever SQLite has cached', async () => {
    reopen()
    for await (const _event of store!.read(0, op)) {
      // Brings all pages into the cache.
    }
    const bytes = await readFile(path)
    bytes[bytes.indexOf('{"n":6,') + 5] = 0x39
    await writeFile(path, bytes)
    await expect(store!.verify(op)).rejects.toMatchObject({
      code: 'ledger.tampered',
      details: { position: 21 },
    })
  })

  it('rejects reading an event that is gone or whose data is not JSON', async () => {
    const reading = (from: number) => reopen().read(from, op)[Symbol.asyncIterator]().next()
    const pristine = await readFile(path)
    edit('DELETE FROM events WHERE position = 8')
    await expect(reading(7)).rejects.toMatchObject({ code: 'ledger.tampered', details: { position: 8 } })
    await store?.close()
    await writeFile(path, pristine)
    edit("UPDATE events SET data = '{' WHERE position = 11")
    await expect(reading(10)).rejects.toMatchObject({ code: 'ledger.tampered', details: { position: 11 } })
  })
})

describe('the guards in the file', () => {
  it.each([
    ['UPDATE events SET at = 0 WHERE position = 3'],
    ['DELETE FROM events WHERE position = 21'],
    [
      'INSERT OR REPLACE INTO events SELECT position, stream, version, 0, type, leaf_hash, node_hashes, root_hash, data FROM events WHERE position = 3',
    ],
    [
      'INSERT OR REPLACE INTO events SELECT 22, stream, version, 0, type, leaf_hash, node_hashes, root_hash, data FROM events WHERE position = 3',
    ],
    [
      'INSERT INTO events SELECT 23, stream, 8, at, type, leaf_hash, node_hashes, root_hash, data FROM events WHERE position = 21',
    ],
    [
      'INSERT INTO events SELECT 22, stream, 9, at, type, leaf_hash, node_hashes, root_hash, data FROM events WHERE position = 21',
    ],
  ])('refuse: %s', (statement) => {
    for (const recursive of ['ON', 'OFF']) {
      const database = new Database(path)
      database.pragma(`recursive_triggers = ${recursive}`)
      expect(() => database.exec(statement)).toThrow(/append-only|appended at the end only/)
      expect(database.prepare('SELECT count(*) FROM events').pluck().get()).toBe(size)
      database.close()
    }
  })
})
