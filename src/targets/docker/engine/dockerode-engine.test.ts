import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDockerEngine } from './dockerode-engine.ts'
import { engineError } from './engine-errors.ts'

describe('what is said of a Docker Engine that cannot be used', () => {
  let folder: string
  let socketPath: string
  let server: Server | undefined

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'basalt-engine-'))
    socketPath = join(folder, 'docker.sock')
  })
  afterEach(async () => {
    server?.closeAllConnections()
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
    server = undefined
    await rm(folder, { recursive: true, force: true })
  })

  /** Answers every request alike. */
  const answering = (status: number, body: unknown): Promise<void> => {
    server = createServer((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    return new Promise((resolve) => server?.listen(socketPath, resolve))
  }
  const check = async (): Promise<unknown> =>
    (await openDockerEngine(socketPath)).check().catch((error: unknown) => error)

  it('that none runs', async () => {
    expect(await check()).toMatchObject({
      code: 'docker.unreachable',
      message: expect.stringContaining(socketPath),
      remedy: expect.stringContaining('systemctl start docker'),
    })
  })

  it('that it is too old, and how old', async () => {
    await answering(200, { Version: '18.09.1', ApiVersion: '1.39' })
    expect(await check()).toMatchObject({
      code: 'docker.too-old',
      message: 'Docker Engine 18.09.1 speaks API 1.39; Basalt needs 1.41',
    })
  })

  it('what it refused, in its own words', async () => {
    await answering(500, { message: 'the disk is on fire' })
    expect(await check()).toMatchObject({
      code: 'docker.failed',
      message: expect.stringContaining('the disk is on fire'),
      details: { statusCode: 500, said: 'the disk is on fire' },
    })
  })

  it('that it is something else', async () => {
    await answering(200, { hello: 'world' })
    expect(await check()).toMatchObject({ code: 'docker.failed' })
  })

  it('that its socket may not be used, or that its disk is full', () => {
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' })
    expect(engineError('/run/x.sock', 'x', denied)).toMatchObject({
      code: 'docker.forbidden',
      message: expect.stringContaining('/run/x.sock'),
    })
    const full = Object.assign(new Error('(HTTP code 500)'), {
      statusCode: 500,
      json: { message: 'write /var/lib/docker/tmp/x: no space left on device' },
    })
    expect(engineError('/run/x.sock', 'x', full)).toMatchObject({ code: 'host.disk-full' })
  })
})
