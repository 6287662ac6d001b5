import { statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson, digestOfBytes } from '../../../core/digest.ts'
import { mediaTypes } from '../../../images/descriptor.ts'
import type { TarEntry } from '../../../util/tar-entry.ts'
import { writeTar } from '../../../util/tar-writer.ts'

/**
 * The tar of an OCI image layout of what `dir:` of containers/image holds (docs/containers-transports.5.md): blobs named
 * by the hex of their digest, and the manifest as manifest.json. Nothing of it is changed.
 */
export async function layoutArchive(folder: string): Promise<AsyncIterable<Uint8Array>> {
  const manifest = await readFile(join(folder, 'manifest.json'))
  const digest = digestOfBytes(manifest)
  const entry = (path: string, content: (TarEntry & { kind: 'file' })['content']): TarEntry => ({
    path,
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    content,
  })
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ mediaType: mediaTypes.manifest, digest, size: manifest.byteLength }],
  }
  const blobs = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name))
  return writeTar([
    entry('oci-layout', Buffer.from(canonicalJson({ imageLayoutVersion: '1.0.0' }))),
    entry('index.json', Buffer.from(canonicalJson(index))),
    entry(`blobs/sha256/${digest.slice('sha256:'.length)}`, manifest),
    ...blobs.map((name) => {
      const file = join(folder, name)
      return entry(`blobs/sha256/${name}`, { file, offset: 0, sizeBytes: statSync(file).size })
    }),
  ])
}
