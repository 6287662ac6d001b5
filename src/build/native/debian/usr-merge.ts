/** Top folders that are links into `/usr` on every Debian since bookworm. */
export const mergedFolders = ['bin', 'lib', 'lib32', 'lib64', 'sbin'] as const

/** A path of a package with those links followed; null for the link itself, which the base layer has. */
export function mergedPath(path: string): string | null {
  const slash = path.indexOf('/')
  const top = slash === -1 ? path : path.slice(0, slash)
  if (!mergedFolders.some((folder) => folder === top)) return path
  return slash === -1 ? null : `usr/${path}`
}
