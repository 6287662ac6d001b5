import { chmodSync, lchownSync, mkdirSync, rmSync, utimesSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { BasaltError } from '../errors.ts'
import type { Metadata } from './layer-reader.ts'
import { lstat, resolveInRoot } from './root-path.ts'

/**
 * The only way to put something into a root that is being made: no write goes through a symbolic link. Parents are
 * resolved inside the root; the last part of a path is removed and made anew.
 */
export interface RootWriter {
  readonly root: string
  /** Host path for a new member, its parents made where they are missing: root's, mode 0755, time 0. */
  place(path: string): string
  /** Host path of what is there, or would be; nothing is made. */
  locate(path: string): string
  /** Makes a folder, or changes the one that is there. `path` is a host path, here and below. */
  putFolder(path: string, metadata: Metadata): void
  /** Makes missing folders up to and with this one. */
  makeFolders(path: string): void
  remove(path: string): void
  /** Notes the time of something written. */
  seen(mtime: number): void
  /** Sets the times of folders, which change whenever something is put into them. Tells the newest time of all. */
  finish(): { readonly newestMtime: number }
}

export function createRootWriter(root: string): RootWriter {
  /** Path in the image to the existing folder that it means. Emptied when a folder or a link goes away. */
  const parents = new Map<string, string>()
  const folderTimes = new Map<string, number>([[root, 0]])
  let newestMtime = 0

  const seen = (mtime: number): void => {
    newestMtime = Math.max(newestMtime, mtime)
  }

  const makeFolders = (path: string): void => {
    const found = lstat(path)
    if (found?.isDirectory()) return
    if (found !== undefined)
      throw new BasaltError('image.invalid', {
        message: `/${relative(root, path)} of the image is a file where a folder is needed`,
      })
    makeFolders(dirname(path))
    mkdirSync(path)
    chmodSync(path, 0o755)
    folderTimes.set(path, 0)
  }

  const parentFolder = (path: string): string => {
    const known = parents.get(path)
    if (known !== undefined) return known
    const resolved = resolveInRoot(root, path)
    makeFolders(resolved)
    parents.set(path, resolved)
    return resolved
  }

  const remove = (path: string): void => {
    const found = lstat(path)
    if (found === undefined) return
    if (!found.isFile()) parents.clear()
    rmSync(path, { recursive: true, force: true })
  }

  return {
    root,
    place: (path) => join(parentFolder(dirname(path)), basename(path)),
    locate: (path) => join(resolveInRoot(root, dirname(path)), basename(path)),
    putFolder(path, { uid, gid, mode, mtime }) {
      if (!lstat(path)?.isDirectory()) {
        remove(path)
        mkdirSync(path)
      }
      lchownSync(path, uid, gid)
      chmodSync(path, mode)
      folderTimes.set(path, mtime)
      seen(mtime)
    },
    makeFolders,
    remove,
    seen,
    finish() {
      for (const [path, mtime] of folderTimes) if (lstat(path)?.isDirectory()) utimesSync(path, mtime, mtime)
      return { newestMtime }
    },
  }
}
