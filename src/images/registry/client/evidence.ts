import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../../core/ids.ts'
import { onDisk } from '../../../util/disk-error.ts'

/** Where wrong bytes are kept for whoever wants to know what was sent; one file for each digest, the newest. */
export interface EvidenceFolder {
  readonly keepBytes: (bytes: Buffer, expected: Digest) => Promise<string>
  /** Moves a file of the same disk. */
  readonly keepFile: (file: string, expected: Digest) => Promise<string>
}

/** Beside the store's own blobs that went bad, under names of its own: those may be all that is left of something. */
export function createEvidenceFolder(layoutFolder: string): EvidenceFolder {
  const folder = join(layoutFolder, 'corrupt')
  const place = async (expected: Digest): Promise<string> => {
    await onDisk(folder, mkdir(folder, { recursive: true }))
    return join(folder, `${expected.slice('sha256:'.length)}.received`)
  }
  return {
    async keepBytes(bytes, expected) {
      const path = await place(expected)
      await onDisk(path, writeFile(path, bytes))
      return path
    },
    async keepFile(file, expected) {
      const path = await place(expected)
      await onDisk(path, rename(file, path))
      return path
    },
  }
}
