import { chmodSync, closeSync, constants, openSync, utimesSync } from 'node:fs'
import { posix } from 'node:path'
import { BasaltError } from '../errors.ts'
import { lstat, resolveInRoot } from './root-path.ts'
import type { RootWriter } from './root-writer.ts'

/** Absolute paths inside the root on which something will be mounted, since a read-only root cannot grow them. */
export interface MountPoints {
  readonly directories: readonly string[]
  readonly files: readonly string[]
}

export const noMountPoints: MountPoints = { directories: [], files: [] }

/** What every instance gets from the runtime, whatever its image has. */
const standard: MountPoints = {
  directories: ['/dev', '/proc', '/run', '/sys', '/tmp'],
  files: ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'],
}

/** With the standard ones, normalised, sorted, each once. Rejects with `image.invalid` what is not absolute. */
export function completeMountPoints(given: MountPoints): MountPoints {
  const complete = (paths: readonly string[]) => [...new Set(paths.map(normalise))].sort()
  return {
    directories: complete([...standard.directories, ...given.directories]),
    files: complete([...standard.files, ...given.files]),
  }
}

/** Those of the given ones that a finished root does not have; null when it has all. */
export function missingMountPoints(root: string, { directories, files }: MountPoints): MountPoints | null {
  const missing = {
    directories: directories.filter((path) => !lstat(resolveInRoot(root, path))?.isDirectory()),
    files: files.filter((path) => !lstat(filePlace(root, path))?.isFile()),
  }
  return missing.directories.length + missing.files.length === 0 ? null : missing
}

/** The last part of a file's path is not followed: what is mounted replaces a link. */
const filePlace = (root: string, path: string): string =>
  posix.join(resolveInRoot(root, posix.dirname(path)), posix.basename(path))

/** Makes an empty folder or file for each, unless the image has one. */
export function addMountPoints(writer: RootWriter, { directories, files }: MountPoints): void {
  for (const path of directories) writer.makeFolders(resolveInRoot(writer.root, path))
  for (const path of files) addFile(writer, path)
}

function addFile(writer: RootWriter, path: string): void {
  const file = writer.place(path.slice(1))
  const found = lstat(file)
  if (found?.isFile()) return
  if (found?.isDirectory())
    throw new BasaltError('image.invalid', {
      message: `${path} of the image is a folder where a file is needed`,
    })
  // What a link points at may lie under another mount, as resolv.conf's /run/… does: an empty file is safe.
  writer.remove(file)
  closeSync(openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644))
  chmodSync(file, 0o644)
  utimesSync(file, 0, 0)
}

function normalise(path: string): string {
  const normal = posix.normalize(path).replace(/(?<=.)\/$/, '')
  if (path.startsWith('/') && normal !== '/' && !path.split('/').includes('..')) return normal
  throw new BasaltError('image.invalid', {
    message: `"${path}" cannot be mounted on: it must be an absolute path below /, without ".."`,
  })
}
