import { readFileSync } from 'node:fs'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import type { TarEntry } from '../../../util/tar-entry.ts'

const certificates = /^usr\/share\/ca-certificates\/mozilla\/[^/]+\.crt$/

/**
 * What `update-ca-certificates` would make of the package ca-certificates: one file of all certificates, where OpenSSL,
 * GnuTLS, Python and Go look for it. Empty for every other package.
 */
export function certificateBundle(
  entries: ReadonlyMap<string, TarEntry>,
  mtime: number,
): readonly TarEntry[] {
  const paths = sortBytewise([...entries.keys()].filter((path) => certificates.test(path)))
  if (paths.length === 0) return []
  const texts = paths.map((path) => textOf(entries.get(path)))
  const owned = { uid: 0, gid: 0, mtime } as const
  const folders = ['etc', 'etc/ssl', 'etc/ssl/certs'].filter((path) => !entries.has(path))
  return [
    ...folders.map((path): TarEntry => ({ ...owned, path, kind: 'directory', mode: 0o755 })),
    {
      ...owned,
      path: 'etc/ssl/certs/ca-certificates.crt',
      kind: 'file',
      mode: 0o644,
      content: Buffer.from(texts.map((text) => (text.endsWith('\n') ? text : `${text}\n`)).join('')),
    },
  ]
}

function textOf(entry: TarEntry | undefined): string {
  if (entry?.kind !== 'file') return ''
  const { content } = entry
  if (content instanceof Uint8Array) return Buffer.from(content).toString('utf8')
  return readFileSync(content.file).toString('utf8', content.offset, content.offset + content.sizeBytes)
}
