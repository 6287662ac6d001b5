import { mkdir, readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../core/digest.ts'
import type { ImageDigest } from '../core/ids.ts'
import { onDisk } from '../util/disk-error.ts'
import { readMounts } from '../util/mountinfo.ts'
import { isLeftover, temporaryName } from '../util/temporary-name.ts'
import type { MountPoints } from './mount-points.ts'
import { rootFormat } from './root-record.ts'
import { type Exec, unmount } from './root-sealing.ts'

/** 64 hex digits: follows from the image, the mount points and the format. */
export type RootId = string

/** A root on disk: one folder, so that one rename makes it appear complete and another makes it go. */
export interface RootPlace {
  readonly folder: string
  readonly record: string
  /** The sealed image. */
  readonly file: string
  /** Where it is mounted, or the unpacked folder. */
  readonly path: string
}

export const rootPlace = (roots: string, id: RootId): RootPlace => {
  const folder = join(roots, id)
  return {
    folder,
    record: join(folder, 'root.json'),
    file: join(folder, 'root.erofs'),
    path: join(folder, 'root'),
  }
}

export const rootId = (image: ImageDigest, mountPoints: MountPoints): RootId =>
  digestOf({ format: rootFormat, image, mountPoints }).slice('sha256:'.length)

export const listRootIds = async (roots: string): Promise<readonly RootId[]> =>
  (await readdir(roots)).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort()

/** A name in the folder that says whose it is, for what is being made or removed. */
export const temporaryRootPath = (roots: string): string => join(roots, `.${temporaryName()}`)

/**
 * Makes the folder, removes what dead processes left half done, and gives its real path, as mountinfo has it. Layers
 * hold set-user-id programs of others: nobody but root may reach them from outside.
 */
export async function prepareRootsFolder(folder: string, exec: Exec): Promise<string> {
  await onDisk(folder, mkdir(folder, { recursive: true, mode: 0o700 }))
  const real = await realpath(folder)
  for (const name of await readdir(real)) if (isLeftover(name)) await removeLeftover(join(real, name), exec)
  return real
}

/** A server that was killed in the middle of a trial has left a mount in its temporary folder. */
async function removeLeftover(path: string, exec: Exec): Promise<void> {
  const mounts = (await readMounts()).filter((mount) => mount.path.startsWith(`${path}/`))
  for (const mount of mounts.toReversed())
    await unmount(exec, mount.path, { signal: new AbortController().signal })
  await rm(path, { recursive: true, force: true })
}
