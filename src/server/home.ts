import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { BasaltError } from '../errors.ts'

/** Where one Basalt keeps everything. Two homes never touch each other. */
export interface Home {
  readonly folder: string
  readonly socketPath: string
  readonly lockPath: string
  readonly logPath: string
}

export const defaultHome = '/var/lib/basalt'

/** A command that is to be run as root for a certain home, for people to copy. */
export const asRoot = (folder: string, command: string): string =>
  `sudo ${folder === defaultHome ? '' : `BASALT_HOME=${folder} `}basalt ${command}`

/** `sun_path` holds 108 bytes with its final NUL (unix(7)). */
const longestSocketPathBytes = 107

/** The home that `BASALT_HOME` names; rejects one whose socket path no kernel would accept. */
export function resolveHome(environment: Readonly<Record<string, string | undefined>>): Home {
  const folder = resolve(environment['BASALT_HOME'] || defaultHome)
  const socketPath = `${folder}/basalt.sock`
  const sizeBytes = Buffer.byteLength(socketPath)
  if (sizeBytes > longestSocketPathBytes)
    throw new BasaltError('host.home-invalid', {
      message: `the socket path ${socketPath} is ${sizeBytes} bytes long; the kernel allows ${longestSocketPathBytes}`,
      remedy: 'Set BASALT_HOME to a shorter path.',
      details: { home: folder, sizeBytes },
    })
  return {
    folder,
    socketPath,
    lockPath: `${folder}/server.lock`,
    logPath: `${folder}/server.log`,
  }
}

/** Makes the folder when it is missing: 0710, so that the socket's group may pass and nobody else may look. */
export function ensureHomeFolder(home: Home): void {
  try {
    makeFolders(home.folder)
  } catch (error) {
    throw new BasaltError('host.home-invalid', {
      message: `the state folder ${home.folder} cannot be made: ${(error as Error).message}`,
      remedy: 'Run as root, or set BASALT_HOME to a folder that you can write.',
      details: { home: home.folder },
      cause: error,
    })
  }
}

/** Not by `recursive`: where a file system refuses with ENOENT, as /proc does, Node tries again for ever. */
function makeFolders(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  if (path !== dirname(path)) makeFolders(dirname(path))
  try {
    mkdirSync(path, { mode: 0o710 })
  } catch (error) {
    // Another server of this home may start at the same time.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}
