import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { BasaltError } from '../../src/errors.ts'
import { type LoadOptions, startLoad } from './load.ts'
import type { LoadReport } from './load-report.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server): Promise<string> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const httpServer = (listener: RequestListener): Promise<string> =>
  listen(createHttpServer({ keepAliveTimeout: 0 }, listener))

/** A server that reads a request and then does as told with the bare connection. */
const rawServer = (answer: (socket: Socket) => void): Promise<string> =>
  listen(
    createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => answer(socket))
    }),
  )

const load = (url: string, options: Partial<LoadOptions> = {}): Promise<LoadReport> =>
  startLoad({
    url,
    rate: 200,
    keepAlive: 2,
    newConnections: 2,
    durationMs: 250,
    timeoutMs: 1000,
    expectSameStamp: false,
    ...options,
  }).finished

describe('what counts as answered', () => {
  it('counts whole answers, of known length, chunked, and ended by the close', async () => {
    let turn = 0
    const url = await httpServer((_request, response) => {
      turn += 1
      if (turn % 3 === 0) response.writeHead(200, { 'content-length': '5' }).end('hello')
      else if (turn % 3 === 1) {
        response.write('a chunk and ')
        setImmediate(() => response.end('another'))
      } else {
        response.useChunkedEncodingByDefault = false
        response.writeHead(200, { connection: 'close' }).end('until the close')
      }
    })
    const report = await load(url)
    expect(report.requests).toBeGreaterThan(20)
    expect(report).toMatchObject({ failed: 0, failures: {}, mixed: 0 })
  })

  it('keeps connections where told, and opens one a request where told', async () => {
    let connections = 0
    const url = await httpServer((_request, response) => response.end('ok'))
    servers[0]?.on('connection', () => (connections += 1))
    const kept = await load(url, { keepAlive: 3, newConnections: 0 })
    expect(kept.failed).toBe(0)
    expect(connections).toBe(3)
    connections = 0
    const fresh = await load(url, { keepAlive: 0, newConnections: 3 })
    expect(connections).toBe(fresh.requests)
  })

  it('keeps to the rate', async () => {
    const url = await httpServer((_request, response) => response.end('ok'))
    const report = await load(url, { rate: 100, durationMs: 500 })
    expect(report.requests).toBeLessThanOrEqual(52)
  })

  it('waits for what is in flight when it is stopped', async () => {
    const url = await httpServer((_request, response) => setTimeout(() => response.end('late'), 200))
    const run = startLoad({
      url,
      rate: 100,
      keepAlive: 4,
      newConnections: 0,
      timeoutMs: 5000,
      expectSameStamp: false,
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    const report = await run.stop()
    expect(report).toMatchObject({ requests: 4, failed: 0 })
  })
})

describe('what counts as failed', () => {
  const failuresOf = async (answer: (socket: Socket) => void): Promise<LoadReport['failures']> => {
    const report = await load(await rawServer(answer), { timeoutMs: 100 })
    expect(report.failed).toBe(report.requests)
    return report.failures
  }

  it('an error status', async () => {
    const url = await httpServer((_request, response) => response.writeHead(503).end('no'))
    const report = await load(url)
    expect(report.failures).toEqual({ 'status 503': report.requests })
  })

  it('a reset connection', async () => {
    expect(Object.keys(await failuresOf((socket) => socket.resetAndDestroy()))).toEqual(['connection reset'])
  })

  it('a connection closed before the answer', async () => {
    const failures = await failuresOf((socket) => socket.end())
    expect(Object.keys(failures)).toEqual(['connection closed before the answer'])
  })

  it('an answer shorter than it says', async () => {
    const failures = await failuresOf((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort'),
    )
    expect(Object.keys(failures)).toEqual(['connection closed within the answer'])
  })

  it('an answer longer than it says', async () => {
    const failures = await failuresOf((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nmuch more'),
    )
    expect(Object.keys(failures)).toEqual(['malformed answer'])
  })

  it('no answer in time', async () => {
    expect(Object.keys(await failuresOf(() => {}))).toEqual(['timeout'])
  })

  it('something that is not HTTP', async () => {
    const failures = await failuresOf((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n'))
    expect(Object.keys(failures)).toEqual(['malformed answer'])
  })

  it('a refused connection', async () => {
    const url = await httpServer(() => {})
    const server = servers.pop()
    server?.close()
    const report = await load(url)
    expect(report.failures).toEqual({ 'connection refused': report.requests })
    expect(report.latencyMs).toBeNull()
  })
})

describe('stamps', () => {
  it('counts answers that mix releases, and those that cannot be compared', async () => {
    const answers = [{ web: '1', api: '1' }, { web: '2', api: '1' }, { web: '2' }]
    let turn = 0
    const url = await httpServer((_request, response) => {
      for (const [service, stamp] of Object.entries(answers[turn % 3] ?? {}))
        response.setHeader(`x-stamp-${service}`, stamp)
      turn += 1
      response.end('ok')
    })
    const report = await load(url, { expectSameStamp: true })
    expect(report.failed).toBe(0)
    expect(report.mixed).toBe(report.requests - Math.ceil(report.requests / 3))
  })

  it('reports the releases in the order in which they answered', async () => {
    let requests = 0
    const url = await httpServer((_request, response) => {
      requests += 1
      const stamp = requests > 10 && requests <= 20 ? '2' : '1'
      response.setHeader('x-stamp-web', stamp).setHeader('x-stamp-api', stamp).end('ok')
    })
    const report = await load(url, { keepAlive: 1, newConnections: 0, expectSameStamp: true })
    expect(requests).toBeGreaterThan(20)
    expect(report.mixed).toBe(0)
    expect(report.periods.map(({ stamps }) => stamps)).toEqual([
      { api: '1', web: '1' },
      { api: '2', web: '2' },
      { api: '1', web: '1' },
    ])
    expect(report.periods.reduce((sum, { answers }) => sum + answers, 0)).toBe(report.requests)
  })
})

describe('what it refuses', () => {
  it.each(['http://192.0.2.1/', 'http://example.org/', 'https://127.0.0.1/', '127.0.0.1:80'])('%s', (url) => {
    const start = (): unknown =>
      startLoad({ url, rate: 1, keepAlive: 1, newConnections: 0, timeoutMs: 1, expectSameStamp: false })
    expect(start).toThrow(BasaltError)
  })
})
