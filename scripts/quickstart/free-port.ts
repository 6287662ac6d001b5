import { once } from 'node:events'
import { createServer } from 'node:net'

/** The first port from `wanted` on that nothing listens on. */
export async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; ; port += 1) if (await isFree(port)) return port
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '0.0.0.0')
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
