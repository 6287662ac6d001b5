import { existsSync } from 'node:fs'
import type { Op } from '../core/op.ts'
import { readMounts } from '../util/mountinfo.ts'
import { type Exec, mountErofs, mountFolder, removeTree, type Sealing, unmount } from './root-sealing.ts'
import { type RootPlace, temporaryRootPath } from './roots-folder.ts'

type Abort = Pick<Op, 'signal'>

export const mountRoot = (
  exec: Exec,
  sealing: Sealing,
  { file, path }: RootPlace,
  op: Abort,
): Promise<void> => (sealing === 'erofs' ? mountErofs(exec, file, path, op) : mountFolder(exec, path, op))

/** What is not mounted is success. */
export async function unmountRoot(exec: Exec, path: string, op: Abort): Promise<void> {
  for (const mount of await readMounts()) if (mount.path === path) await unmount(exec, path, op)
}

/** Unmounts and deletes, whatever state the root is in. What is not there is success. */
export async function removeRoot(exec: Exec, roots: string, place: RootPlace, op: Abort): Promise<void> {
  await unmountRoot(exec, place.path, op)
  if (existsSync(place.folder)) await removeTree(place.folder, temporaryRootPath(roots))
}

/** Takes away what a crash left mounted and writable: a bind mount before it was made read-only. */
export async function isRootMounted(exec: Exec, path: string, op: Abort): Promise<boolean> {
  const mounts = (await readMounts()).filter((mount) => mount.path === path)
  if (mounts.length > 0 && mounts.every((mount) => mount.readOnly)) return true
  if (mounts.length > 0) await unmountRoot(exec, path, op)
  return false
}
