import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { mostBytes } from '../../yaml/syntax-problems.ts'

export type ReadFile =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly fact: string; readonly isAbsent: boolean }

/** The files of a Compose project. */
export interface ComposeFiles {
  /** The text of a file, by its absolute path. Never throws. */
  read(path: string): Promise<ReadFile>
}

const absent = ['ENOENT', 'ENOTDIR']

/** The files on this machine: UTF-8, of at most 1 MiB. */
export const filesOnDisk: ComposeFiles = {
  async read(path) {
    try {
      // Opening a pipe that nobody writes to must not wait for ever.
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
      try {
        if (!(await handle.stat()).isFile()) return { ok: false, fact: 'is not a file', isAbsent: false }
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(mostBytes + 1), 0, mostBytes + 1)
        if (bytesRead > mostBytes) return { ok: false, fact: 'is larger than 1 MiB', isAbsent: false }
        return decode(buffer.subarray(0, bytesRead))
      } finally {
        await handle.close()
      }
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
      return absent.includes(code)
        ? { ok: false, fact: 'does not exist', isAbsent: true }
        : { ok: false, fact: `cannot be read (${code})`, isAbsent: false }
    }
  },
}

function decode(bytes: Uint8Array): ReadFile {
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return { ok: false, fact: 'is not UTF-8 text', isAbsent: false }
  }
}
