import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type PeerPorts, peerActor, peerOf, systemPeerPorts } from './peer.ts'

describe('peerOf', () => {
  const sockets = [
    'u_str ESTAB 0 0 * 10 * 11 users:(("node",pid=5,fd=3))',
    'u_str ESTAB 0 0 /var/lib/my basalt/basalt.sock 20 * 21 users:(("node",pid=7,fd=24))',
    'u_str ESTAB 0 0 * 21 * 20 users:(("a",pid=8,fd=19),("b",pid=9,fd=4))',
    'u_str ESTAB 0 0 * 31 * 30 ',
  ].join('\n')

  it('finds the other end and all who hold it, also when the path has blanks', () => {
    expect(peerOf(sockets, '20')).toEqual({
      inode: '21',
      holders: [
        { pid: '8', descriptor: '19' },
        { pid: '9', descriptor: '4' },
      ],
    })
  })

  it('finds nobody where nobody is', () => {
    expect(peerOf(sockets, '31')).toEqual({ inode: '30', holders: [] })
    expect(peerOf(sockets, '99')).toBeNull()
  })
})

describe('peerActor', () => {
  let folder: string
  let path: string
  let server: Server
  let connected: Promise<Socket>

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'basalt-peer-'))
    chmodSync(folder, 0o755)
    path = join(folder, 's')
    connected = new Promise((resolve) => {
      server = createServer(resolve)
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    chmodSync(path, 0o666)
  })

  afterEach(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })

  /** A process of another user that connects and then does what `script` says with its socket `s`. */
  const client = (userId: number, script: string) =>
    spawn(
      'python3',
      ['-c', `import socket,os,time\ns=socket.socket(1)\ns.connect(${JSON.stringify(path)})\n${script}`],
      {
        uid: userId,
        gid: userId,
        stdio: 'ignore',
      },
    )

  it.each([
    [0, 'root'],
    [65534, 'nobody'],
    [54321, 'uid 54321'],
  ])('names user %i %s', async (userId, name) => {
    const child = client(userId, 'time.sleep(60)')
    expect(await peerActor(await connected)).toEqual({ name })
    child.kill()
  })

  it('does not take the word of a process whose name imitates the output of ss', async () => {
    const script = `open('/proc/self/comm','w').write('",pid=1,fd=0')\ntime.sleep(60)`
    const child = client(65534, script)
    const socket = await connected
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await peerActor(socket)).toEqual({ name: 'nobody' })
    child.kill()
  })

  it('says unknown when users share the connection, when the client is gone, and without ss', async () => {
    const child = client(0, 'pid=os.fork()\nif pid==0: os.setuid(65534)\ntime.sleep(60)')
    const socket = await connected
    await expect.poll(() => peerActor(socket)).toEqual({ name: 'unknown' })
    child.kill()
    const withoutTool: PeerPorts = {
      ...systemPeerPorts,
      listSockets: () => Promise.reject(new Error('no ss')),
    }
    expect(await peerActor(socket, withoutTool)).toEqual({ name: 'unknown' })
  })

  it('names the person who became root', async () => {
    const child = client(0, 'time.sleep(60)')
    const ports: PeerPorts = {
      ...systemPeerPorts,
      readText: async (file) => (file.endsWith('/loginuid') ? '65534' : systemPeerPorts.readText(file)),
    }
    expect(await peerActor(await connected, ports)).toEqual({ name: 'root (nobody)' })
    child.kill()
  })
})
