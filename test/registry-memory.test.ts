import { execFile, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
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
let idleBytes: number
let digest: string

beforeAll(async () => {
  basalt = openBasaltHome()
  address = `127.0.0.1:${await freePort()}`
  await basalt.json(['registry', 'enable', address])
  const { secret } = await basalt.json<RegistryToken>(['registry', 'grant', 'ci', '--scope', 'push'])
  authorization = `Basic ${Buffer.from(`ci:${secret}`).toString('base64')}`
  const status = await basalt.json<{ server: { pid: number } }>(['server', 'status'])
  pid = status.server.pid
  idleBytes = memory('VmRSS')
})
afterAll(() => basalt.close())

const memory = (key: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

/** The most that the server had during some work, over what it had before any; as the kernel counts it (proc(5)). */
async function growth(work: () => Promise<void>): Promise<number> {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  await work()
  return memory('VmHWM') - idleBytes
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

const withoutSkopeo = spawnSync('skopeo', ['--version']).error !== undefined

/** An OCI layout with one image of one such layer, which nobody has seen before. */
async function writeLayout(folder: string): Promise<void> {
  const blobs = join(folder, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  block.set(randomBytes(16))
  const hash = createHash('sha256')
  for (const chunk of layer()) hash.update(chunk)
  const hex = hash.digest('hex')
  await pipeline(Readable.from(layer()), createWriteStream(join(blobs, hex)))
  const document = (mediaType: string, content: object) => {
    const text = JSON.stringify(content)
    const name = createHash('sha256').update(text).digest('hex')
    writeFileSync(join(blobs, name), text)
    return { mediaType, digest: `sha256:${name}`, size: text.length }
  }
  const config = document('application/vnd.oci.image.config.v1+json', {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [`sha256:${hex}`] },
  })
  const layers = [
    { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${hex}`, size: layerBytes },
  ]
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers,
  }
  const entry = document(manifest.mediaType, manifest)
  const annotations = { 'org.opencontainers.image.ref.name': 'large' }
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...entry, annotations }] }),
  )
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

const skopeo = async (...args: string[]): Promise<void> => {
  await promisify(execFile)('skopeo', ['copy', '--preserve-digests', ...args])
}

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

  it.skipIf(withoutSkopeo)(
    'is copied in and out by skopeo (skipped where it is missing)',
    async () => {
      const [from, to] = [join(basalt.folder, 'from'), join(basalt.folder, 'to')]
      await writeLayout(from)
      const place = `docker://${address}/team/large:v1`
      const credentials = Buffer.from(authorization.slice('Basic '.length), 'base64').toString()
      const pushing = await growth(() =>
        skopeo('--dest-tls-verify=false', '--dest-creds', credentials, `oci:${from}:large`, place),
      )
      const pulling = await growth(() => skopeo('--src-tls-verify=false', place, `oci:${to}:large`))
      expect(readdirSync(join(to, 'blobs/sha256')).sort()).toEqual(
        readdirSync(join(from, 'blobs/sha256')).sort(),
      )
      process.stdout.write(`skopeo: ${pushing / 1e6} MB in, ${pulling / 1e6} MB out\n`)
      expect(pushing).toBeLessThan(limitBytes)
      expect(pulling).toBeLessThan(limitBytes)
    },
    300_000,
  )
})
