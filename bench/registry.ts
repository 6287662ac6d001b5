import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { RegistryToken } from '../src/server/registry-routes.ts'
import { type BenchHome, freePort, openBenchHome } from './bench-home.ts'
import { dockerRegistryMissing, openDockerRegistry } from './docker-registry.ts'
import {
  alone,
  type BenchOptions,
  type BenchRow,
  beside,
  figureAtMost,
  median,
  type Skipped,
  timed,
} from './row.ts'
import { connectServer } from './server-process.ts'

const layerBytes = 256 * 2 ** 20
const largeBytes = 10 ** 9
const repository = '/v2/bench/app'

/** A registry at an address. */
export interface BenchRegistry {
  /** `127.0.0.1:5000` */
  readonly address: string
  readonly authorization: string | null
  readonly pid: number
}

/** The registry in the server beside Debian's docker-registry, by turns, on the same disk. */
export async function benchRegistry({
  rounds,
  folder,
}: BenchOptions): Promise<readonly BenchRow[] | Skipped> {
  const missing = dockerRegistryMissing()
  if (missing !== null) return { skipped: missing }
  const home = openBenchHome()
  const peer = await openDockerRegistry(folder)
  try {
    const ours = await openOurs(home)
    // First, while neither has kept memory of anything else.
    const memory = await benchMemory(ours, peer)
    return [...(await benchLayers(ours, peer, rounds)), ...memory]
  } finally {
    await peer.close()
    await home.close()
  }
}

async function openOurs(home: BenchHome): Promise<BenchRegistry> {
  const address = `127.0.0.1:${await freePort()}`
  await home.run('registry', 'enable', address)
  const { document } = await home.run<RegistryToken>('registry', 'grant', 'bench', '--scope', 'push')
  const server = connectServer(home)
  const { pid } = await server.engine.health()
  server.close()
  const authorization = `Basic ${Buffer.from(`bench:${document.secret}`).toString('base64')}`
  return { address, authorization, pid }
}

async function benchLayers(
  ours: BenchRegistry,
  peer: BenchRegistry,
  rounds: number,
): Promise<readonly BenchRow[]> {
  const times = {
    push: [] as number[],
    pull: [] as number[],
    peerPush: [] as number[],
    peerPull: [] as number[],
  }
  for (let round = 0; round <= rounds; round++) {
    const layer = makeLayer(layerBytes)
    times.peerPush.push(await timed(() => push(peer, layer)))
    times.push.push(await timed(() => push(ours, layer)))
    times.peerPull.push(await timed(() => pull(peer, layer)))
    times.pull.push(await timed(() => pull(ours, layer)))
  }
  const of = (values: readonly number[]) => median(values.slice(1))
  const against = (values: readonly number[]) => ['docker-registry', of(values)] as const
  return [
    beside('registry: push of 256 MiB', 'ms', of(times.push), against(times.peerPush)),
    beside('registry: pull of 256 MiB, verified', 'ms', of(times.pull), against(times.peerPull)),
  ]
}

/** The most that each had while 1 GB went in and out, over what it had before. */
async function benchMemory(ours: BenchRegistry, peer: BenchRegistry): Promise<readonly BenchRow[]> {
  const layer = makeLayer(largeBytes)
  const grown = { ours: await growth(ours, layer), peer: await growth(peer, layer) }
  const name = 'registry: memory above idle while 1 GB goes'
  return [
    beside(`${name} in`, 'MB', grown.ours.push, ['docker-registry', grown.peer.push], figureAtMost(200)),
    alone(`${name} out`, 'MB', grown.ours.pull, figureAtMost(200)),
  ]
}

async function growth(registry: BenchRegistry, layer: Layer) {
  const idleBytes = memoryOf(registry.pid, 'VmRSS')
  const during = async (work: () => Promise<void>): Promise<number> => {
    writeFileSync(`/proc/${registry.pid}/clear_refs`, '5')
    await work()
    return (memoryOf(registry.pid, 'VmHWM') - idleBytes) / 1e6
  }
  return { push: await during(() => push(registry, layer)), pull: await during(() => pull(registry, layer)) }
}

const memoryOf = (pid: number, key: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

interface Layer {
  readonly digest: string
  readonly sizeBytes: number
  readonly blocks: () => Generator<Buffer>
}

/** Bytes that no other layer has and that no compression makes smaller. */
function makeLayer(sizeBytes: number): Layer {
  const block = randomBytes(1 << 20)
  function* blocks(): Generator<Buffer> {
    for (let left = sizeBytes; left > 0; left -= block.length)
      yield block.subarray(0, Math.min(left, block.length))
  }
  const hash = createHash('sha256')
  for (const bytes of blocks()) hash.update(bytes)
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes, blocks }
}

async function push(registry: BenchRegistry, { digest, sizeBytes, blocks }: Layer): Promise<void> {
  const begun = await ask(registry, 'POST', `${repository}/blobs/uploads/`)
  begun.resume()
  const { pathname, searchParams } = new URL(begun.headers.location ?? '', `http://${registry.address}`)
  searchParams.set('digest', digest)
  const path = `${pathname}?${searchParams.toString()}`
  const ended = await ask(registry, 'PUT', path, { content: Readable.from(blocks()), sizeBytes })
  ended.resume()
  if (ended.statusCode !== 201) throw new Error(`${registry.address} took no layer: ${ended.statusCode}`)
}

async function pull(registry: BenchRegistry, { digest, sizeBytes }: Layer): Promise<void> {
  let received = 0
  for await (const chunk of await ask(registry, 'GET', `${repository}/blobs/${digest}`))
    received += (chunk as Buffer).byteLength
  if (received !== sizeBytes) throw new Error(`${registry.address} gave ${received} bytes`)
}

interface Body {
  readonly content: Readable
  readonly sizeBytes: number
}

const ask = (
  { address, authorization }: BenchRegistry,
  method: string,
  path: string,
  body?: Body,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const headers = {
      ...(authorization === null ? {} : { authorization }),
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/octet-stream', 'content-length': body.sizeBytes }),
    }
    const call = request(`http://${address}${path}`, { method, headers, agent: false }, resolve)
    call.on('error', reject)
    if (body === undefined) call.end()
    else pipeline(body.content, call).catch(reject)
  })
