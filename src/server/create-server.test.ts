import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createServer } from './create-server.ts'
import { FakeEngine } from './fixtures/fake-engine.ts'
import { fakeRegistry } from './fixtures/fake-registry.ts'
import { peerActor } from './peer.ts'
import { apiHeader, apiVersion, ndjsonType, type StreamLine, versionHeader } from './protocol.ts'
import { resultSchemas } from './result-schemas.ts'

let folder: string
let socketPath: string
let engine: FakeEngine
let app: FastifyInstance
let stopping: AbortController
let stopRequested: boolean

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-server-'))
  socketPath = join(folder, 's')
  engine = new FakeEngine()
  stopping = new AbortController()
  stopRequested = false
  app = createServer(engine, {
    registry: fakeRegistry(),
    version: '1.2.3',
    home: folder,
    startedAt: 1_700_000_000_000,
    identify: (socket) => peerActor(socket),
    remove: async () => {},
    requestStop: () => {
      stopRequested = true
    },
    stopping: stopping.signal,
    log: false,
  })
  await app.listen({ path: socketPath })
})

afterEach(async () => {
  stopping.abort()
  app.server.closeAllConnections()
  await app.close()
  rmSync(folder, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** False when the connection broke off. */
  readonly complete: boolean
}

interface Sent {
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  readonly onData?: (text: string, abort: () => void) => void
}

const send = (method: string, path: string, sent: Sent = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers: sent.headers ?? {} }, (response) => {
      const chunks: Buffer[] = []
      const finish = (complete: boolean): void =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('latin1'),
          complete,
        })
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        sent.onData?.(chunk.toString(), () => call.destroy())
      })
      response.on('end', () => finish(response.complete))
      response.on('error', () => finish(false))
    })
    call.on('error', reject)
    call.end(sent.body)
  })

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  send('POST', path, {
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

const lines = (answer: Answer): StreamLine[] =>
  answer.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StreamLine)

/** The document, after it has proven to be just what its documented schema says. */
function documented(answer: Answer): Record<string, unknown> {
  const document = JSON.parse(answer.text)
  const schema = resultSchemas[document.schema]
  expect(schema, `schema ${document.schema}`).toBeDefined()
  expect(schema!.parse(document)).toEqual(document)
  return document
}

const manifest = (text = 'system: shop\n'): string => {
  const file = join(folder, 'basalt.yaml')
  writeFileSync(file, text)
  return file
}

describe('results', () => {
  it.each([
    ['GET', '/v1/health', 'basalt.health/v1'],
    ['GET', '/v1/status', 'basalt.status/v1'],
    ['GET', '/v1/history?limit=5', 'basalt.history/v1'],
    ['GET', '/v1/releases', 'basalt.releases/v1'],
    ['GET', '/v1/diff?from=1&to=2', 'basalt.diff/v1'],
    ['POST', '/v1/plan', 'basalt.plan/v1'],
    ['POST', '/v1/deploy', 'basalt.deployment-started/v1'],
    ['POST', '/v1/rollback/plan', 'basalt.plan/v1'],
    ['POST', '/v1/rollback', 'basalt.deployment-started/v1'],
    ['POST', '/v1/down', 'basalt.deployment-started/v1'],
    ['POST', '/v1/audit/verify', 'basalt.ledger-head/v1'],
    ['POST', '/v1/releases/pull', 'basalt.release-imported/v1', { reference: 'r.example.com/shop:1' }],
    ['POST', '/v1/images/pull', 'basalt.image-pulled/v1', { reference: 'nginx:1.25' }],
    [
      'POST',
      '/v1/images/push',
      'basalt.image-pushed/v1',
      { image: 'shop@2', reference: 'r.example.com/shop:2' },
    ],
    ['GET', '/v1/registry', 'basalt.registry/v1'],
    ['POST', '/v1/registry/disable', 'basalt.registry/v1'],
    ['GET', '/v1/registry/tokens', 'basalt.registry-tokens/v1'],
    ['POST', '/v1/registry/tokens/ci/revoke', 'basalt.registry-tokens/v1'],
  ])('%s %s answers with %s', async (method, path, schema, body: object = {}) => {
    const answer = method === 'GET' ? await send('GET', path) : await post(path, body)
    expect(answer.status).toBe(200)
    expect(documented(answer)['schema']).toBe(schema)
  })

  it('fills defaults, so that the engine gets complete requests', async () => {
    await post('/v1/deploy', { environment: 'staging', release: 'shop@2' })
    await send('GET', '/v1/logs?service=web&tail=7&follow=false')
    expect(engine.calls).toEqual([
      {
        verb: 'deploy',
        request: {
          file: null,
          system: null,
          environment: 'staging',
          release: 'shop@2',
          all: false,
          wait: false,
          timeoutMs: null,
          reason: null,
          actor: { name: 'root' },
        },
      },
      {
        verb: 'logs',
        request: { system: null, environment: null, service: 'web', follow: false, tail: 7, previous: false },
      },
    ])
  })

  it('takes the actor from the socket, not from the request', async () => {
    const answer = await post('/v1/deploy', { environment: 'staging', actor: { name: 'mallory' } })
    expect(answer.status).toBe(400)
    expect(documented(answer)['message']).toContain('actor')
    expect(engine.calls).toEqual([])
  })

  it('follows a deployment to its outcome, and aborts it', async () => {
    await post('/v1/deploy', { environment: 'slow' })
    const following = send('GET', '/v1/deployments/d-slow000000000000/events')
    const abort = await post('/v1/deployments/d-slow000000000000/abort', {})
    expect(documented(abort)).toMatchObject({ deployment: 'd-slow000000000000' })
    const events = lines(await following)
    expect(events.at(-1)).toMatchObject({ type: 'item', item: { code: 'deployment.ended' } })
    const outcome = documented(await send('GET', '/v1/deployments/d-slow000000000000/outcome'))
    expect(outcome).toMatchObject({ outcome: 'aborted' })
  })
})

describe('progress', () => {
  it('comes as items before the result for clients that accept NDJSON', async () => {
    const answer = await post('/v1/build', { file: manifest() }, { accept: ndjsonType })
    expect(answer.headers['content-type']).toBe(ndjsonType)
    const [first, , last] = lines(answer)
    expect(first).toMatchObject({ type: 'item', item: { code: 'build.started' } })
    expect(last).toMatchObject({ type: 'result', result: { schema: 'basalt.build/v1', created: true } })
  })

  it('is left out for others', async () => {
    expect(documented(await post('/v1/build', { file: manifest() }))).toMatchObject({ created: true })
  })

  it('ends with the error when the verb fails', async () => {
    const answer = await post('/v1/plan', { environment: 'nowhere' }, { accept: ndjsonType })
    expect(lines(answer).at(-1)).toMatchObject({ type: 'error', error: { code: 'environment.unknown' } })
  })

  it('cancels the work when the client goes away', async () => {
    const call = send('POST', '/v1/build', {
      headers: { 'content-type': 'application/json', accept: ndjsonType },
      body: JSON.stringify({ file: manifest('slow') }),
      onData: (_text, abort) => abort(),
    })
    await call.catch(() => {})
    await expect.poll(() => engine.calls.map((seen) => seen.verb)).toContain('build-cancelled')
  })
})

describe('errors', () => {
  it.each([
    ['POST', '/v1/plan', { environment: 'nowhere' }, 404, 'environment.unknown'],
    ['POST', '/v1/deploy', { environment: 'busy' }, 409, 'deployment.in-progress'],
    ['POST', '/v1/deploy', { environmnt: 'x' }, 400, 'request.invalid'],
    ['POST', '/v1/deploy', { timeoutMs: -1 }, 400, 'request.invalid'],
    ['POST', '/v1/build', { file: 'relative.yaml' }, 400, 'request.invalid'],
    ['GET', '/v1/logs?service=nothing', null, 404, 'service.unknown'],
    ['GET', '/v1/logs?follow=maybe', null, 400, 'request.invalid'],
    ['GET', '/v1/history?limit=0', null, 400, 'request.invalid'],
    ['GET', '/v1/deployments/d-none/events', null, 404, 'deployment.unknown'],
    ['GET', '/v1/deployments/d-none/outcome', null, 404, 'deployment.unknown'],
    ['GET', '/v1/releases/export?release=99', null, 404, 'release.unknown'],
    ['GET', '/v1/nonsense', null, 404, 'request.invalid'],
  ])('%s %s %j is %i %s', async (method, path, body, status, code) => {
    const answer = body === null ? await send(method, path) : await post(path, body)
    expect(answer.status).toBe(status)
    expect(documented(answer)).toMatchObject({ schema: 'basalt.error/v1', code })
  })

  it('refuses malformed JSON and bodies that are too large as the mistakes of the client', async () => {
    const headers = { 'content-type': 'application/json' }
    const malformed = await send('POST', '/v1/deploy', { headers, body: '{"environment":' })
    expect([malformed.status, documented(malformed)['code']]).toEqual([400, 'request.invalid'])
    const large = await post('/v1/deploy', { reason: 'x'.repeat(70_000) })
    expect([large.status, documented(large)['code']]).toEqual([400, 'request.invalid'])
  })

  it('calls what nobody foresaw a bug', async () => {
    engine.status = async () => {
      throw new TypeError('oops')
    }
    const answer = await send('GET', '/v1/status')
    expect(answer.status).toBe(500)
    expect(documented(answer)).toMatchObject({ code: 'internal.bug', message: 'unexpected failure: oops' })
  })
})

describe('version handshake', () => {
  const headers = (api: number) => ({ [apiHeader]: String(api), [versionHeader]: '9.9.9' })

  it('serves its own API version', async () => {
    expect((await send('GET', '/v1/status', { headers: headers(apiVersion) })).status).toBe(200)
  })

  it('tells a newer CLI to restart the server', async () => {
    const answer = await send('GET', '/v1/status', { headers: headers(apiVersion + 1) })
    expect(answer.status).toBe(409)
    const error = documented(answer)
    expect(error['code']).toBe('server.version-mismatch')
    expect(error['message']).toContain('9.9.9')
    expect(error['message']).toContain('1.2.3')
    expect(error['remedy']).toContain('basalt server restart')
  })

  it('tells an older CLI which version to use', async () => {
    const answer = await send('GET', '/v1/status', { headers: headers(0) })
    expect(documented(answer)['remedy']).toContain('1.2.3')
  })

  it('lets every version ask for health and stop', async () => {
    expect((await send('GET', '/v1/health', { headers: headers(99) })).status).toBe(200)
    expect((await send('POST', '/v1/server/stop', { headers: headers(99) })).status).toBe(202)
    await expect.poll(() => stopRequested).toBe(true)
  })
})

describe('streams', () => {
  it('tells followers that the server stops', async () => {
    const following = send('GET', '/v1/logs?follow=true', {
      onData: (text) => {
        if (text.includes('hello')) stopping.abort()
      },
    })
    expect(lines(await following).at(-1)).toMatchObject({
      type: 'error',
      error: { code: 'request.interrupted' },
    })
  })

  it('exports every byte', async () => {
    const answer = await send('GET', '/v1/releases/export?release=shop@2')
    expect(answer.headers['content-type']).toBe('application/x-tar')
    expect(answer.complete).toBe(true)
    expect(answer.text.length).toBe(20 * 64 * 1024)
  })

  it('breaks the connection when an export fails half way, so that nobody takes the part for the whole', async () => {
    const answer = await send('GET', '/v1/releases/export?release=broken')
    expect(answer.complete).toBe(false)
  })

  it('imports archives that are larger than any other body', async () => {
    const body = Buffer.alloc(3 * 1024 * 1024, 7)
    const headers = { 'content-type': 'application/x-tar' }
    const answer = await send('POST', '/v1/releases/import', { headers, body })
    expect(documented(answer)).toMatchObject({ release: { name: 'shop@1', version: 1 } })
    expect(engine.importedBytes).toBe(body.length)
  })
})
