import type { ScannedEntry } from '../../../util/tar-scanner.ts'

/** Left out, as in Debian's slim images: what only people at a terminal read. */
const trimmedFolders = [
  'usr/share/groff',
  'usr/share/info',
  'usr/share/linda',
  'usr/share/lintian',
  'usr/share/locale',
  'usr/share/man',
  'var/cache/man',
]

/** Licences stay: a package's `copyright`, and links between documentation folders that lead to one. */
export function isTrimmed(path: string, kind: ScannedEntry['kind']): boolean {
  if (trimmedFolders.some((folder) => path === folder || path.startsWith(`${folder}/`))) return true
  const [, inside] = /^usr\/share\/doc\/[^/]+\/(.+)$/.exec(path) ?? []
  if (inside === undefined) return false
  return kind === 'directory' || !(inside === 'copyright' || inside.endsWith('/copyright'))
}
