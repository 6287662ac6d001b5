import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { diskError, onDisk } from '../../../util/disk-error.ts'
import { refusal } from './refusal.ts'

/** An upload on its way. */
export interface Upload {
  readonly id: string
  readonly repository: string
  /** Received so far. */
  readonly sizeBytes: number
}

/** Uploads as folders, each with its bytes and the name of its repository: all that the next server needs to go on. */
export interface UploadFiles {
  begin(repository: string): Promise<Upload>
  /** Rejects with BLOB_UPLOAD_UNKNOWN. */
  find(repository: string, id: string): Promise<Upload>
  /** The file of its bytes. */
  dataOf(id: string): string
  /** Milliseconds since the epoch when each was last written to; 0: half of it is missing. */
  touched(): Promise<ReadonlyMap<string, number>>
  remove(id: string): Promise<void>
}

const idPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function createUploadFiles(folder: string): UploadFiles {
  const pathOf = (id: string): string => join(folder, id)
  const dataOf = (id: string): string => join(pathOf(id), 'data')
  const ownerOf = (id: string): string => join(pathOf(id), 'repository')
  const remove = (id: string): Promise<void> => rm(pathOf(id), { recursive: true, force: true })

  return {
    dataOf,
    remove,
    async begin(repository) {
      const id = randomUUID()
      await onDisk(folder, mkdir(pathOf(id), { recursive: true, mode: 0o700 }))
      try {
        await writeFile(dataOf(id), '')
        await writeFile(ownerOf(id), repository)
      } catch (cause) {
        await remove(id)
        throw diskError(pathOf(id), cause)
      }
      return { id, repository, sizeBytes: 0 }
    },
    async find(repository, id) {
      // What is no id of ours is no path either.
      const owner = idPattern.test(id) ? await orNull(readFile(ownerOf(id), 'utf8')) : null
      const found = owner === repository ? await orNull(stat(dataOf(id))) : null
      if (found === null) throw refusal('BLOB_UPLOAD_UNKNOWN', `there is no upload ${id} to ${repository}`)
      return { id, repository, sizeBytes: found.size }
    },
    async touched() {
      const ids = (await orNull(readdir(folder))) ?? []
      const found = ids.map(async (id) => [id, (await orNull(stat(dataOf(id))))?.mtimeMs ?? 0] as const)
      return new Map(await Promise.all(found))
    },
  }
}

const orNull = <T>(work: Promise<T>): Promise<T | null> => work.catch(() => null)
