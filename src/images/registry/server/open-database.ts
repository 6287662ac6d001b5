import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { BasaltError } from '../../../errors.ts'
import { diskError, diskFull } from '../../../util/disk-error.ts'

/** Kept as `user_version`. */
const formatVersion = 1

/**
 * What repositories hold. Bytes are in the content store; a row here makes them visible in a repository. `used_blob` is
 * what a manifest leads to, so that nothing is taken from under it. A tag that was deleted stays, with its digest: it
 * can never mean another one.
 */
const schema = `
CREATE TABLE blob (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_by_digest ON blob (digest);
CREATE TABLE manifest (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  subject TEXT,
  artifact_type TEXT,
  annotations TEXT,
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_by_subject ON manifest (repository, subject, digest) WHERE subject IS NOT NULL;
CREATE TABLE used_blob (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  manifest TEXT NOT NULL,
  PRIMARY KEY (repository, digest, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_blob_by_manifest ON used_blob (repository, manifest);
CREATE TABLE tag (
  repository TEXT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (repository, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_digest ON tag (repository, digest);
PRAGMA user_version = ${formatVersion};
`

/** Opens the file for this process alone, mode 0600, and makes it where it is missing. */
export function openDatabase(path: string): Database.Database {
  let database: Database.Database | undefined
  try {
    // Before SQLite opens it: the -wal file takes its mode.
    closeSync(openSync(path, 'a', 0o600))
    database = new Database(path, { timeout: 100 })
    database.pragma('locking_mode = EXCLUSIVE')
    const version = Number(database.pragma('user_version', { simple: true }))
    if (version > formatVersion) throw newerFormat(path, version)
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.pragma('trusted_schema = OFF')
    if (version === 0) database.transaction(() => database?.exec(schema)).immediate()
    return database
  } catch (cause) {
    database?.close()
    throw databaseError(path, cause)
  }
}

/** Translates what SQLite says about the file at `path`. What is translated already passes through. */
export function databaseError(path: string, cause: unknown): BasaltError {
  const code = (cause as { code?: string }).code ?? ''
  if (cause instanceof BasaltError || !code.startsWith('SQLITE_')) return diskError(path, cause)
  if (code === 'SQLITE_FULL') return diskFull(path, cause)
  return new BasaltError(code.startsWith('SQLITE_BUSY') ? 'store.locked' : 'store.unavailable', {
    message: `${path} cannot be used: ${code}`,
    remedy: 'Check the disk (`dmesg`) and the rights of the state folder (`basalt doctor`).',
    details: { path, sqlite: code },
    cause,
  })
}

const newerFormat = (path: string, version: number): BasaltError =>
  new BasaltError('store.newer-format', {
    message: `${path} has format ${version}; this Basalt reads format ${formatVersion} only`,
    remedy: 'Install the Basalt that wrote it, or a newer one.',
    details: { path, format: version, known: formatVersion },
  })
