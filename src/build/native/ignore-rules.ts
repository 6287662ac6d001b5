import ignore from 'ignore'

/** Whether a path below the copied folder is left out. Folders are asked for as such. */
export type Ignored = (path: string, isFolder: boolean) => boolean

/**
 * The rules of gitignore. Always left out: `.git`, and at the top of the manifest's folder Basalt's own two files,
 * which must not change the image that they describe. A pattern `!…` takes back.
 */
export function ignoreRules(patterns: readonly string[], isManifestFolder: boolean): Ignored {
  const own = isManifestFolder ? ['/basalt.yaml', '/basalt.lock'] : []
  if (patterns.length === 0) {
    // The library costs more than all the rest of an unchanged build, so it is used only where there are patterns.
    return (path) => path === '.git' || path.endsWith('/.git') || own.includes(`/${path}`)
  }
  const rules = ignore({ ignorecase: false }).add(['.git', ...own, ...patterns])
  return (path, isFolder) => rules.ignores(isFolder ? `${path}/` : path)
}
