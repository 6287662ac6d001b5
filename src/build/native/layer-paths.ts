import { readFileSync } from 'node:fs'
import type { FileRange, TarEntry } from '../../util/tar-entry.ts'
import { scanTar } from '../../util/tar-scanner.ts'
import type { LayerPath } from './image-paths.ts'

/** The paths of an uncompressed layer on disk. */
export function layerPaths(file: string): readonly LayerPath[] {
  const paths: LayerPath[] = []
  for (const entry of scanTar(file)) {
    const path = entry.path.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '')
    if (path === '' || path === '.') continue
    const kind = entry.kind === 'hardlink' || entry.kind === 'device' ? 'file' : entry.kind
    paths.push({
      path,
      kind,
      mode: entry.mode,
      ...(kind === 'symlink' ? { target: entry.target } : {}),
      ...(isPasswd(path) && entry.kind === 'file' ? { text: textOf({ file, ...entry }) } : {}),
    })
  }
  return paths
}

/** The path of an entry that is about to be written. */
export const layerPathOf = (entry: TarEntry): LayerPath => ({
  path: entry.path,
  kind: entry.kind === 'hardlink' ? 'file' : entry.kind,
  mode: entry.mode,
  ...(entry.kind === 'symlink' ? { target: entry.target } : {}),
  ...(isPasswd(entry.path) && entry.kind === 'file' ? { text: textOf(entry.content) } : {}),
})

const isPasswd = (path: string): boolean => path === 'etc/passwd'

const textOf = (content: Uint8Array | FileRange): string =>
  content instanceof Uint8Array
    ? Buffer.from(content).toString('utf8')
    : readFileSync(content.file).toString('utf8', content.offset, content.offset + content.sizeBytes)
