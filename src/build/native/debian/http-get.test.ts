import { createServer } from 'node:http'
import { type AddressInfo, createServer as createSocketServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { aptProxies, createHttpGet } from './http-get.ts'

describe('HTTP', () => {
  it('finds proxies as apt does', () => {
    const dump =
      'Acquire::http::Proxy "http://proxy:3142";\nAcquire::http::Proxy::direct.example "DIRECT";\nAcquire::http::Timeout "5";\n'
    const proxyOf = aptProxies(dump, { https_proxy: 'http://other:1' })
    expect(proxyOf(new URL('http://deb.example/x'))).toBe('http://proxy:3142')
    expect(proxyOf(new URL('http://direct.example/x'))).toBeNull()
    expect(proxyOf(new URL('https://deb.example/x'))).toBe('http://other:1')
    expect(aptProxies('', {})(new URL('http://deb.example/x'))).toBeNull()
  })

  it('goes through a proxy, follows redirects, and leaves bytes as they are', async () => {
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(request.url ?? '')
      if (request.url?.endsWith('/old')) response.writeHead(302, { location: 'http://deb.example/new' }).end()
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end('not compressed')
    })
    const proxy = `http://127.0.0.1:${await listen(server)}`
    try {
      const { status, body } = await createHttpGet(() => proxy)(
        'http://deb.example/old',
        new AbortController().signal,
      )
      const chunks: Uint8Array[] = []
      for await (const chunk of body) chunks.push(chunk)
      expect([status, Buffer.concat(chunks).toString()]).toEqual([200, 'not compressed'])
      expect(seen).toEqual(['http://deb.example/old', 'http://deb.example/new'])
    } finally {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    }
  })

  it.each([
    ['says how much comes', (sizeBytes: number) => `content-length: ${sizeBytes}\r\n`],
    ['ends its answer by closing', () => ''],
  ])('reads all of a mirror that %s and closes before a slow reader has it', async (_, header) => {
    const sent = Buffer.alloc(3_000_000, 'mirror')
    const server = createSocketServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(`HTTP/1.0 200 OK\r\n${header(sent.length)}\r\n`)
        socket.end(sent)
      })
    })
    const url = `http://127.0.0.1:${await listen(server)}/a.deb`
    try {
      const { body } = await createHttpGet(() => null)(url, new AbortController().signal)
      const chunks: Uint8Array[] = []
      for await (const chunk of body) {
        chunks.push(chunk)
        await delay(2)
      }
      expect(Buffer.concat(chunks).equals(sent)).toBe(true)
    } finally {
      await new Promise((done) => server.close(done))
    }
  })
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))
  return (server.address() as AddressInfo).port
}
