import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RegistryToken } from '../src/server/registry-routes.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'

/* How much memory the server takes while a layer goes in and out. */

const layerBytes = 10 ** 9
const limitBytes = 200e6
const block = Buffer.alloc(1 << 20)
for (let index = 0; index < block.length; index += 4)
  block.writeUInt32LE((index * 2_654_435_761) >>> 0, index)

function* layer(): Generator<Buffer> {
  for (let left = layerBytes; left > 0; left -= block.length)
    yield block.subarray(0, Math.min(left, block.length))
}

let basalt: BasaltHome
let address: string
let authorization: string
let pid: number
let digest: string

beforeAll(async () => {
  basalt = openBasaltHome()
  address = `127.0.0.1:${await freePort()}`
  await basalt.json(['registry', 'enable', address])
  const { secret } = await basalt.json<RegistryToken>(['registry', 'grant', 'ci', '--scope', 'push'])
  authorization = `Basic ${Buffer.from(`ci:${secret}`).toString('base64')}`
  const status = await basalt.json<{ server: { pid: number } }>(['server', 'status'])
  pid = status.server.pid
})
afterAll(() => basalt.close())

const memory = (key: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

/** The most that the server had during some work, over what it had before; as the kernel counts it (proc(5)). */
async function growth(work: () => Promise<void>): Promise<number> {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  const before = memory('VmRSS')
  await work()
  return memory('VmHWM') - before
}

const ask = (method: string, path: string, body?: Readable): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const call = request(
      `http://${address}${path}`,
      { method, agent: false, headers: { authorization } },
      resolve,
    )
    call.on('error', reject)
    if (body === undefined) call.end()
    else pipeline(body, call).catch(reject)
  })

describe('a layer of 1 GB', () => {
  it('goes in and out with less than 200 MB', async () => {
    const hash = createHash('sha256')
    for (const chunk of layer()) hash.update(chunk)
    digest = `sha256:${hash.digest('hex')}`

    const pushing = await growth(async () => {
      const answer = await ask('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, Readable.from(layer()))
      expect(answer.resume().statusCode).toBe(201)
    })
    const pulled = createHash('sha256')
    const pulling = await growth(async () => {
      const answer = await ask('GET', `/v2/team/app/blobs/${digest}`)
      expect([answer.statusCode, answer.headers['content-length']]).toEqual([200, String(layerBytes)])
      for await (const chunk of answer) pulled.update(chunk as Buffer)
    })
    expect(`sha256:${pulled.digest('hex')}`).toBe(digest)
    process.stdout.write(`growth: ${pushing / 1e6} MB in, ${pulling / 1e6} MB out\n`)
    expect(pushing).toBeLessThan(limitBytes)
    expect(pulling).toBeLessThan(limitBytes)
  }, 300_000)

  it('is read slowly without being kept in memory', async () => {
    const held = await growth(async () => {
      const readers = await Promise.all(
        Array.from({ length: 8 }, () => ask('GET', `/v2/team/app/blobs/${digest}`)),
      )
      // Each takes a little, and then nothing: what the server reads ahead must be bounded.
      await Promise.all(readers.map((reader) => new Promise((resolve) => reader.once('readable', resolve))))
      await new Promise((resolve) => setTimeout(resolve, 1000))
      for (const reader of readers) reader.destroy()
    })
    expect(held).toBeLessThan(limitBytes)
  })
})
