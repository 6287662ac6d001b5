import { setTimeout as sleep } from 'node:timers/promises'
import { BasaltError } from '../../errors.ts'
import type { Home } from '../../server/home.ts'
import type { Health } from '../../server/protocol.ts'
import { answers } from '../../server/socket.ts'
import { forbidden, reach } from './connect.ts'
import type { Connection } from './connection.ts'

const stopPatienceMs = 30_000
const pollMs = 20

/** The running server; null when none runs. Rejects with `server.forbidden` where one may run but not be asked. */
export async function runningServer(connection: Connection, home: Home): Promise<Health | null> {
  switch (await reach(connection)) {
    case 'absent':
      return null
    case 'forbidden':
      throw forbidden(home)
    case 'answers':
      return connection.json({ method: 'GET', path: '/health' })
  }
}

/** Asks the server to end and waits until its process has. Instances go on. */
export async function stopServer(connection: Connection, home: Home): Promise<Health> {
  const server = await connection.json<Health>({ method: 'POST', path: '/server/stop' })
  await ended(server, home)
  return server
}

/** Has everything that the server runs taken down, and waits until the server's process has ended too. */
export async function removeAll(connection: Connection, home: Home): Promise<void> {
  await ended(await connection.json<Health>({ method: 'POST', path: '/server/remove' }), home)
}

async function ended(server: Health, home: Home): Promise<void> {
  const deadline = Date.now() + stopPatienceMs
  while ((await answers(home.socketPath)) || runs(server.pid)) {
    if (Date.now() > deadline)
      throw new BasaltError('server.unreachable', {
        message: `the server (pid ${server.pid}) has not ended after ${stopPatienceMs / 1_000} s`,
        remedy: `See ${home.logPath}; end it with: sudo kill -KILL ${server.pid} (instances go on).`,
        details: { pid: server.pid },
      })
    await sleep(pollMs)
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
