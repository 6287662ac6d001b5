import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { diskError, fsyncFailed } from './disk-error.ts'
import { temporaryName } from './temporary-name.ts'

export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

/**
 * Replaces a file as a whole: after a crash at any moment the path holds the old content or the new one, and
 * once this resolves the new one is on the disk. `mode` (default 0o644) is set exactly, whatever the umask; `owner`
 * is who shall have the file, where that is not the process itself.
 *
 * Rejects with `host.disk-full`, or with `store.unavailable` for everything else. After a failed fsync the
 * kernel may have dropped the data and reports success the next time: never retry, end the process.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string,
  options: { readonly mode?: number; readonly owner?: FileOwner } = {},
): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${temporaryName()}.tmp`)
  try {
    await writeDurably(temporary, content, options.mode ?? 0o644, options.owner)
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw diskError(path, error)
  }
}

async function writeDurably(
  path: string,
  content: Uint8Array | string,
  mode: number,
  owner: FileOwner | undefined,
): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    if (owner !== undefined) await file.chown(owner.uid, owner.gid)
    await file.chmod(mode)
    await file.writeFile(content)
    await sync(file, path)
  } finally {
    await file.close()
  }
}

/** Makes the names in a folder durable: a new, renamed or removed file is one only after this. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await sync(handle, folder)
  } finally {
    await handle.close()
  }
}

const sync = (file: FileHandle, path: string): Promise<void> =>
  file.sync().catch((cause: unknown) => {
    throw fsyncFailed(path, cause)
  })
