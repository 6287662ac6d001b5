import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { connect } from 'node:net'
import { BasaltError } from '../errors.ts'
import type { Home } from './home.ts'

export const defaultGroup = 'basalt'

/** The id of the group whose members may talk to the server; null: there is none, only root may. */
export function socketGroupId(
  groupName: string | undefined,
  groupFile: string = readFileSync('/etc/group', 'utf8'),
): number | null {
  const name = groupName || defaultGroup
  const line = groupFile.split('\n').find((entry) => entry.startsWith(`${name}:`))
  if (line !== undefined) return Number(line.split(':')[2])
  if (!groupName) return null
  throw new BasaltError('host.home-invalid', {
    message: `the group ${name}, which BASALT_GROUP names, does not exist`,
    remedy: `Create it: groupadd --system ${name}`,
    details: { group: name },
  })
}

/**
 * Takes away the socket file of a server that is gone. Call it with the server lock held; the connect test
 * is for a server that does not know the lock.
 */
export async function removeStaleSocket(home: Home): Promise<void> {
  const stats = lstatSync(home.socketPath, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket())
    throw new BasaltError('host.home-invalid', {
      message: `${home.socketPath} is not a socket`,
      remedy: 'Move it away, or set another BASALT_HOME.',
      details: { path: home.socketPath },
    })
  if (await answers(home.socketPath))
    throw new BasaltError('server.already-running', {
      message: `a server answers on ${home.socketPath} already`,
      remedy: 'Use it (`basalt server status`), stop it (`basalt server stop`), or set another BASALT_HOME.',
      details: { socketPath: home.socketPath },
    })
  unlinkSync(home.socketPath)
}

/** True when somebody accepts connections on a unix socket. */
export const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(socketPath)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

/**
 * Listens so that the socket appears at its path in one step, with its final owner and mode: it is bound in a
 * closed folder and then moved. A umask would do too, but would hold for everything else that the process
 * writes meanwhile.
 */
export async function listenAt(
  home: Home,
  groupId: number | null,
  listen: (path: string) => Promise<unknown>,
): Promise<void> {
  const closed = `${home.folder}/.new`
  rmSync(closed, { recursive: true, force: true })
  mkdirSync(closed, { mode: 0o700 })
  const path = `${closed}/s`
  await listen(path)
  if (groupId !== null) {
    chownSync(path, process.getuid?.() ?? 0, groupId)
    openFolderToGroup(home.folder, groupId)
  }
  chmodSync(path, 0o660)
  renameSync(path, home.socketPath)
  rmSync(closed, { recursive: true, force: true })
}

/** The group may pass through the state folder to the socket, but not list it. */
function openFolderToGroup(folder: string, groupId: number): void {
  const { mode, uid } = statSync(folder)
  chownSync(folder, uid, groupId)
  chmodSync(folder, (mode & 0o7777) | 0o010)
}
