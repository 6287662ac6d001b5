import { createServer, type Server } from 'node:net'
import { BasaltError } from '../../errors.ts'
import { findPortOwner } from './port-owner.ts'

/** A TCP port on all addresses of the host that nobody else can bind meanwhile. */
export interface HeldPort {
  readonly port: number
  release(): Promise<void>
}

/**
 * Binds a port without sharing it (no SO_REUSEPORT), so that a listener of any other program is found, another
 * HAProxy's too. Rejects with `port.taken` naming that program.
 */
export async function holdPort(port: number, ipv6: boolean): Promise<HeldPort> {
  const servers: Server[] = []
  const release = async () => {
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
  }
  try {
    servers.push(await listen({ port, host: '0.0.0.0' }))
    if (ipv6) servers.push(await listen({ port, host: '::', ipv6Only: true }))
    return { port, release }
  } catch (cause) {
    await release()
    throw await taken(port, cause as NodeJS.ErrnoException)
  }
}

export async function isFree(port: number, ipv6: boolean): Promise<boolean> {
  const held = await holdPort(port, ipv6).catch(() => null)
  await held?.release()
  return held !== null
}

function listen(options: { port: number; host: string; ipv6Only?: boolean }): Promise<Server> {
  // Whoever gets through to it is not meant to: traffic for a held port is redirected before.
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...options, exclusive: true }, () => {
      server.unref()
      resolve(server)
    })
  })
}

async function taken(port: number, cause: NodeJS.ErrnoException): Promise<BasaltError> {
  if (cause.code !== 'EADDRINUSE')
    return new BasaltError('router.failed', {
      message: `port ${port} cannot be bound: ${cause.message}`,
      details: { port },
      cause,
    })
  const owner = await findPortOwner(port)
  const who = owner === null ? 'another program' : `${owner.program} (pid ${owner.pid})`
  return new BasaltError('port.taken', {
    message: `port ${port} is in use by ${who}`,
    remedy:
      'Give the environment another `ingress` port in basalt.yaml (`basalt init` writes a first one), or end that program.',
    details: { port, ...owner },
    cause,
  })
}
