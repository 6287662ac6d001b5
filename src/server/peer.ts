import { readFile, readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { Actor } from '../engine/engine.ts'
import { exec } from '../util/exec.ts'

/** What the lookup needs of the machine. */
export interface PeerPorts {
  /** The output of `ss -xnpH`: every unix socket with its inode, its peer's inode and the processes that hold it. */
  listSockets(): Promise<string>
  /** What `/proc/<path>` links to; rejects when it is gone. */
  readLink(path: string): Promise<string>
  /** The text of a file; rejects when it is gone. */
  readText(path: string): Promise<string>
}

export const systemPeerPorts: PeerPorts = {
  listSockets: async () => (await exec('ss', ['-xnpH'], { timeoutMs: 5_000 })).stdout,
  readLink: (path) => readlink(path),
  readText: (path) => readFile(path, 'utf8'),
}

/** Who asks, where the kernel's tables do not say. Never a name that the client chose. */
export const unknownActor: Actor = { name: 'unknown' }

/**
 * The user at the other end of a connected unix socket. Node has no SO_PEERCRED, so: our descriptor gives our
 * inode, `ss` gives the peer's, the processes that hold the peer's inode give the real user id. Real, not
 * effective: a set-user-ID program that inherits a socket must not lend it its rights. Holders of different
 * users mean that nobody can tell who wrote: `unknown`.
 */
export async function peerActor(socket: Socket, ports: PeerPorts = systemPeerPorts): Promise<Actor> {
  try {
    const inode = await ownInode(socket, ports)
    const peer = inode === null ? null : peerOf(await ports.listSockets(), inode)
    if (peer === null) return unknownActor
    const pids = await verifiedHolders(peer, ports)
    const users = new Set(await Promise.all(pids.map((pid) => realUser(pid, ports))))
    const [user] = users
    return user === undefined || users.size > 1 ? unknownActor : { name: user }
  } catch {
    // The client is gone, or the machine has no `ss`: an unknown actor is the truth.
    return unknownActor
  }
}

async function ownInode(socket: Socket, ports: PeerPorts): Promise<string | null> {
  const descriptor = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd
  if (descriptor === undefined || descriptor < 0) return null
  return /^socket:\[(\d+)\]$/.exec(await ports.readLink(`/proc/self/fd/${descriptor}`))?.[1] ?? null
}

interface Peer {
  readonly inode: string
  readonly holders: readonly { readonly pid: string; readonly descriptor: string }[]
}

const linePattern = /^u_\w+\s+ESTAB\s+\d+\s+\d+\s+.*\s(\d+)\s+\S+\s+(\d+)\s*(users:.*)?$/

/** Finds the peer of `inode` in the output of `ss -xnpH`; null when the connection is not listed. */
export function peerOf(sockets: string, inode: string): Peer | null {
  const lines = sockets.split('\n').flatMap((line) => {
    const match = linePattern.exec(line.trimEnd())
    return match ? [{ own: match[1], peer: match[2], users: match[3] ?? '' }] : []
  })
  const peer = lines.find((line) => line.own === inode)?.peer
  if (peer === undefined) return null
  const users = lines.find((line) => line.own === peer)?.users ?? ''
  const holders = [...users.matchAll(/pid=(\d+),fd=(\d+)/g)].map((match) => ({
    pid: match[1] ?? '',
    descriptor: match[2] ?? '',
  }))
  return { inode: peer, holders }
}

/**
 * Only those that still hold the peer's socket. Asked of /proc once more, because `ss` prints process names,
 * which their owners choose, without quoting, and because a pid may have been given away in the meantime.
 */
async function verifiedHolders(peer: Peer, ports: PeerPorts): Promise<readonly string[]> {
  const held = await Promise.all(
    peer.holders.map(async ({ pid, descriptor }) => {
      const link = await ports.readLink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
      return link === `socket:[${peer.inode}]` ? [pid] : []
    }),
  )
  return held.flat()
}

/** What /proc/<pid>/loginuid says for processes that nobody logged in for. */
const noLogin = 4294967295

/** `alice`; `root (alice)` when alice logged in and became root. */
async function realUser(pid: string, ports: PeerPorts): Promise<string> {
  const status = await ports.readText(`/proc/${pid}/status`)
  const userId = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN)
  const loginId = Number(await ports.readText(`/proc/${pid}/loginuid`).catch(() => noLogin))
  const users = await ports.readText('/etc/passwd').catch(() => '')
  const name = userName(users, userId)
  return loginId === userId || loginId === noLogin ? name : `${name} (${userName(users, loginId)})`
}

const userName = (passwd: string, userId: number): string =>
  passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[2] === String(userId))?.[0] ?? `uid ${userId}`
