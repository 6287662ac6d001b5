import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { probeOf } from './probe.ts'

const timing = { intervalMs: 1000, timeoutMs: 100, startMs: 1000, retries: 3 }
const noCommand = () => Promise.reject(new Error('no command was expected'))

describe('probeOf', () => {
  let server: Server | undefined
  afterEach(() => server?.close())

  async function listen(answer: string | null, end = true): Promise<number> {
    server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => {
        if (answer !== null) socket.write(answer)
        if (end) socket.end()
      })
    })
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }
  const http = (port: number) =>
    probeOf({ kind: 'http', path: '/up', port, ...timing }, '127.0.0.1', noCommand)()

  it.each([
    ['HTTP/1.1 200 OK\r\n\r\n', null],
    ['HTTP/1.0 302 Found\r\n\r\n', null],
    ['HTTP/1.1 500 Internal Server Error\r\n\r\n', 'GET /up gave 500'],
    ['HTTP/1.1 404 \r\n\r\n', 'GET /up gave 404'],
    ['SSH-2.0-OpenSSH\r\n', 'GET /up gave no HTTP answer'],
    ['x'.repeat(5000), 'GET /up gave no HTTP answer'],
    ['', 'connection closed without an answer'],
  ])('judges %j', async (answer, verdict) => {
    expect(await http(await listen(answer))).toBe(verdict)
  })

  it('takes a late answer for none', async () => {
    expect(await http(await listen(null, false))).toBe('no answer within 0.1 s')
  })

  it('says when nobody listens', async () => {
    const port = await listen('')
    server?.close()
    expect(await http(port)).toBe('connection refused')
    expect(await probeOf({ kind: 'tcp', port, ...timing }, '127.0.0.1', noCommand)()).toBe(
      'connection refused',
    )
  })

  it('is content with a connection for tcp', async () => {
    const port = await listen(null, false)
    expect(await probeOf({ kind: 'tcp', port, ...timing }, '127.0.0.1', noCommand)()).toBeNull()
  })

  it('tells the exit code and last line of a command', async () => {
    const check = { kind: 'command', command: ['redis-cli', 'ping'], ...timing } as const
    const run = (exitCode: number | null, output = '') =>
      probeOf(check, '', () => Promise.resolve({ exitCode, output }))()
    expect(await run(0)).toBeNull()
    expect(await run(1, 'a\nCould not connect\n')).toBe(
      '"redis-cli ping" ended with exit code 1: Could not connect',
    )
    expect(await run(null)).toBe('no answer within 0.1 s')
  })
})
