import { BasaltError } from '../../errors.ts'
import { tampered } from '../../ledger/ledger-verifier.ts'
import { diskError } from '../../util/disk-error.ts'
import { lockHolder } from './lock-holder.ts'

/** Translates what SQLite says about the file at `path`. What is translated already passes through. */
export function sqliteError(path: string, cause: unknown): BasaltError {
  const code = sqliteCode(cause)
  if (code === null) return diskError(path, cause)
  const details = { path, sqlite: code }
  if (isKind(code, 'SQLITE_BUSY') || isKind(code, 'SQLITE_LOCKED')) {
    const pid = lockHolder(path)
    return new BasaltError('store.locked', {
      message: `${path} is in use by ${pid === null ? 'another process' : `process ${pid}`}`,
      remedy:
        'Only one server may run on a state folder: talk to the one that runs, stop it, or set BASALT_HOME to another folder.',
      details: { ...details, pid },
      cause,
    })
  }
  if (isKind(code, 'SQLITE_FULL'))
    return new BasaltError('host.disk-full', {
      message: `no space is left to write ${path}`,
      remedy: 'Free space on that disk (`df -h` shows it), then run the command again.',
      details,
      cause,
    })
  if (isKind(code, 'SQLITE_CORRUPT')) return tampered(null, `${path} is damaged`, cause)
  if (isKind(code, 'SQLITE_NOTADB')) return notALedger(path, cause)
  return new BasaltError('store.unavailable', {
    message: `${path} cannot be used: ${code}`,
    remedy:
      'Check the disk (`dmesg`) and the rights of the state folder (`basalt doctor`), then start the server again.',
    details,
    cause,
  })
}

export const notALedger = (path: string, cause?: unknown): BasaltError =>
  new BasaltError('store.unavailable', {
    message: `${path} is not a ledger of Basalt`,
    remedy: 'Move the file away, or set BASALT_HOME to another folder.',
    details: { path },
    cause,
  })

/** SQLite's extended result code, such as SQLITE_IOERR_FSYNC; null for errors that are not SQLite's. */
function sqliteCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return error.code.startsWith('SQLITE_') ? error.code : null
}

const isKind = (code: string, kind: string): boolean => code === kind || code.startsWith(`${kind}_`)
