import { readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BasaltError } from '../errors.ts'
import type { TarEntry } from '../util/tar-entry.ts'
import { writeTar } from '../util/tar-writer.ts'

/** The tar of a folder that is an OCI image layout (image-spec, image-layout.md). Rejects with `request.invalid`. */
export function packLayout(folder: string, remedy: string): AsyncIterable<Uint8Array> {
  try {
    const blobs = readdirSync(join(folder, 'blobs/sha256')).map((name) => `blobs/sha256/${name}`)
    return writeTar(['oci-layout', 'index.json', ...blobs].map((path) => entryOf(folder, path)))
  } catch (cause) {
    throw new BasaltError('request.invalid', {
      message: `${folder} is not an OCI image layout that can be read: ${(cause as Error).message}`,
      remedy,
      details: { folder },
      cause,
    })
  }
}

function entryOf(folder: string, path: string): TarEntry {
  // Build tools put their results together of links.
  const file = realpathSync.native(join(folder, path))
  const content = { file, offset: 0, sizeBytes: statSync(file).size }
  return { kind: 'file', path, mode: 0o644, uid: 0, gid: 0, mtime: 0, content }
}
