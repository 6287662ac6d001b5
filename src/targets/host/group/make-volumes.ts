import { access, chown, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { GroupSpec } from '../../../core/generation.ts'
import type { ImageUser } from '../../../images/image-user.ts'
import type { HomePaths } from '../home-paths.ts'

/** Volume name to its folder, for all instances of a group; made on first use, for the user who will write there. */
export async function makeVolumes(
  paths: Pick<HomePaths, 'volume'>,
  { environment, run }: GroupSpec,
  user: Pick<ImageUser, 'uid' | 'gid'>,
): Promise<Readonly<Record<string, string>>> {
  const folders: Record<string, string> = {}
  for (const { name } of run.volumes) {
    const folder = paths.volume(environment, name)
    if (!(await exists(folder))) await makeVolume(folder, user)
    folders[name] = folder
  }
  return folders
}

/** Made beside and then named, so that it never is there without belonging to the user who will write in it. */
async function makeVolume(folder: string, user: Pick<ImageUser, 'uid' | 'gid'>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  const unnamed = `${folder}.new`
  await rm(unnamed, { recursive: true, force: true })
  await mkdir(unnamed, { mode: 0o755 })
  await chown(unnamed, user.uid, user.gid)
  await rename(unnamed, folder)
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
