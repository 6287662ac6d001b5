import { readFileSync, statSync } from 'node:fs'
import { BasaltError } from '../../errors.ts'
import { asRoot, type Home } from '../../server/home.ts'
import { defaultGroup } from '../../server/socket.ts'
import type { Connection } from './connection.ts'

export interface ConnectParts {
  readonly home: Home
  readonly connection: Connection
  readonly userId: number
  /** Starts a server and resolves when it answers. */
  launch(): Promise<void>
}

/** What stands between a client and its server: nothing, or why not. */
export type Reachability = 'answers' | 'absent' | 'forbidden'

export async function reach(connection: Connection): Promise<Reachability> {
  try {
    await connection.json({ method: 'GET', path: '/health' })
    return 'answers'
  } catch (error) {
    if (!(error instanceof BasaltError) || error.code !== 'server.unreachable') throw error
    if (error.details['reason'] === 'foreign') throw error
    return error.details['reason'] === 'EACCES' ? 'forbidden' : 'absent'
  }
}

/** Makes sure that a server answers, starting one when none does and we may. */
export async function ensureServer(parts: ConnectParts): Promise<void> {
  switch (await reach(parts.connection)) {
    case 'answers':
      return
    case 'forbidden':
      throw forbidden(parts.home)
    case 'absent':
      if (parts.userId === 0) return parts.launch()
      throw absent(parts.home)
  }
}

function absent(home: Home): BasaltError {
  const group = groupOf(home) ?? defaultGroup
  return new BasaltError('host.not-root', {
    message: `no server answers on ${home.socketPath}, and only root can start one`,
    remedy:
      `Start it: ${asRoot(home.folder, 'server start')}. To talk to it without sudo, join its group: ` +
      `sudo groupadd --force --system ${group} && sudo usermod --append --groups ${group} $USER, then log in again.`,
    details: { socketPath: home.socketPath },
  })
}

export const forbidden = (home: Home): BasaltError =>
  new BasaltError('server.forbidden', {
    message: `you may not use ${home.socketPath}`,
    remedy:
      `Join its group and log in again: sudo usermod --append --groups ${groupOf(home) ?? defaultGroup} $USER ` +
      `(when the group is new, also: ${asRoot(home.folder, 'server restart')}). Or use sudo.`,
    details: { socketPath: home.socketPath },
  })

/** The group that the state folder was given to; null: to none yet. */
export function groupOf({ folder }: Pick<Home, 'folder'>): string | null {
  try {
    const { gid } = statSync(folder)
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === String(gid))
    return (gid === 0 ? undefined : line?.split(':')[0]) ?? null
  } catch {
    return null
  }
}
