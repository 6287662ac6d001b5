import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { BasaltError } from '../errors.ts'

/** As many as Linux follows in one path (path_resolution(7)). */
const maxSymlinks = 40

/**
 * The host's path of a path inside a root, every symbolic link followed as a process inside would: absolute
 * targets start at the root and `..` ends there, so the answer never lies outside. Parts that do not exist are
 * taken as they are. Holds as long as nobody else changes the root.
 */
export function resolveInRoot(root: string, path: string): string {
  const pending = path.split('/').reverse()
  let resolved: string[] = []
  let followed = 0
  for (let segment = pending.pop(); segment !== undefined; segment = pending.pop()) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') {
      resolved.pop()
      continue
    }
    const candidate = join(root, ...resolved, segment)
    if (!lstat(candidate)?.isSymbolicLink()) {
      resolved.push(segment)
      continue
    }
    if (++followed > maxSymlinks)
      throw new BasaltError('image.invalid', { message: `/${path} goes through too many symbolic links` })
    const target = readlinkSync(candidate)
    if (target.startsWith('/')) resolved = []
    pending.push(...target.split('/').reverse())
  }
  return join(root, ...resolved)
}

/** Undefined where there is nothing, or where a parent is not a folder. */
export function lstat(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw cause
  }
}
