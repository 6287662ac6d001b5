import { chmodSync, closeSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { BasaltError } from '../../errors.ts'
import { fsyncFailed } from '../../util/disk-error.ts'
import { applicationId, schema, schemaVersion } from './schema.ts'
import { notALedger, sqliteError } from './sqlite-error.ts'

/**
 * Opens the file for this process alone, and makes it when it is absent or empty. The lock is the kernel's: it
 * ends with the process, however that ends.
 */
export function openDatabase(path: string): Database.Database {
  let database: Database.Database | null = null
  try {
    createFile(path)
    chmodSync(path, 0o600)
    database = new Database(path, { fileMustExist: true, timeout: 100 })
    configure(database, path)
    return database
  } catch (error) {
    database?.close()
    throw sqliteError(path, error)
  }
}

/** Before SQLite opens it, since the -wal file takes its mode, and since a close would drop SQLite's lock. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw error
  }
  syncFolder(dirname(path))
}

function configure(database: Database.Database, path: string): void {
  // The first access after this takes the lock and keeps it.
  database.pragma('locking_mode = EXCLUSIVE')
  const isNew = checkFormat(database, path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('recursive_triggers = ON')
  database.pragma('trusted_schema = OFF')
  // SQLite's own checkpoints hide their errors, a failed fsync too: the store runs them itself.
  database.pragma('wal_autocheckpoint = 0')
  if (isNew) createSchema(database)
  syncFolder(dirname(path))
}

/** True for an empty file. */
function checkFormat(database: Database.Database, path: string): boolean {
  const application = database.pragma('application_id', { simple: true })
  const version = Number(database.pragma('user_version', { simple: true }))
  const isEmpty = database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined
  if (application === 0 && version === 0 && isEmpty) return true
  if (application !== applicationId) throw notALedger(path)
  if (version > schemaVersion)
    throw new BasaltError('store.newer-format', {
      message: `${path} has format ${version}; this Basalt reads format ${schemaVersion} only`,
      remedy: 'Install the Basalt that wrote it, or a newer one.',
      details: { path, format: version, known: schemaVersion },
    })
  if (version < schemaVersion)
    throw new BasaltError('store.older-format', {
      message: `${path} has format ${version}; this Basalt reads format ${schemaVersion} only`,
      remedy: 'Use the Basalt that wrote it, move the file away, or set BASALT_HOME to another folder.',
      details: { path, format: version, known: schemaVersion },
    })
  return false
}

function createSchema(database: Database.Database): void {
  database
    .transaction(() => {
      for (const statement of schema) database.exec(statement)
      database.pragma(`application_id = ${applicationId}`)
      database.pragma(`user_version = ${schemaVersion}`)
    })
    .immediate()
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } catch (error) {
    throw fsyncFailed(folder, error)
  } finally {
    closeSync(descriptor)
  }
}
