import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BasaltError } from '../../errors.ts'
import type { Home } from '../../server/home.ts'

/** What servers make in a state folder; a file's own companions (`ledger.db-wal`, `.<name>.<digits>.tmp`) come with it. */
const made = [
  'basalt.sock',
  'cache',
  'compiled',
  'docker',
  'images',
  'ledger.db',
  'logs',
  'next-instance-number',
  'registry',
  'roots',
  'router',
  'server.lock',
  'server.log',
  'volumes',
]

/**
 * Deletes a state folder with all that Basalt made there. What else is there stays, and the folder with it: a
 * BASALT_HOME may have been set to a folder that was somebody's before. Resolves with the names that stayed.
 */
export async function removeHome({ folder }: Pick<Home, 'folder'>): Promise<readonly string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw cause
  })
  if (names === null) return []
  const strange = names.filter((name) => !isMade(name))
  for (const name of names.filter(isMade)) await rm(join(folder, name), { recursive: true, force: true })
  if (strange.length === 0) await rmdir(folder)
  return strange
}

/** Holds a socket until it is moved to its place. */
const socketFolder = '.new'

const isMade = (name: string): boolean =>
  name === socketFolder || made.some((own) => name === own || isCompanion(name, own))

const isCompanion = (name: string, own: string): boolean =>
  name === `${own}-wal` ||
  name === `${own}-shm` ||
  name === `${own}-journal` ||
  (name.startsWith(`.${own}.`) && name.endsWith('.tmp'))

/** Only root may empty what the server, which is root, has filled. Said before anything is taken down. */
export function assertMayRemove(home: Home, userId: number): void {
  if (userId === 0) return
  throw new BasaltError('host.not-root', {
    message: `only root may delete the state folder ${home.folder}`,
    remedy: 'Use sudo; or leave out --data, which ends what runs and keeps the data.',
    details: { home: home.folder },
  })
}
