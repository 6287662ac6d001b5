import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HaproxyRouter } from '../src/router/haproxy/haproxy-router.ts'
import { connectHaproxy, type HaproxySocket, replaceMap } from '../src/router/haproxy/haproxy-socket.ts'
import type { MapLine } from '../src/router/haproxy/route-map.ts'
import { startLoadThread } from '../src/router/haproxy/testing/load-thread.ts'
import { startInstance, type TestInstance } from '../src/router/haproxy/testing/start-instance.ts'
import {
  createTestHome,
  freePort,
  group,
  httpPort,
  instanceOf,
  op,
  route,
  type TestHome,
  table,
} from '../src/router/haproxy/testing/test-router.ts'
import type { RoutedGroup } from '../src/router/router.ts'
import {
  alone,
  type BenchOptions,
  type BenchRow,
  beside,
  figureAtMost,
  median,
  ratioAtLeast,
  timed,
} from './row.ts'

const services = Array.from({ length: 20 }, (_, number) => number)
const switches = 100
const roundSeconds = 2

/**
 * The router on this machine: how long the switch of an environment takes, what it costs in requests, and how much of
 * a very fast server's throughput is left through it. Needs root, haproxy, nftables and wrk.
 */
export async function benchRouter(options: BenchOptions): Promise<readonly BenchRow[]> {
  const home = await createTestHome()
  try {
    return [...(await benchSwitch(home)), ...(await benchThroughput(home, options))]
  } finally {
    await home.remove()
  }
}

interface Generation {
  readonly number: number
  readonly port: number
  readonly groups: readonly RoutedGroup[]
  readonly process: TestInstance
}

/** 100 switches of 20 services under load; every old generation is ended after it, every second one by SIGKILL. */
async function benchSwitch(home: TestHome): Promise<readonly BenchRow[]> {
  const router = home.router()
  const entryPort = await freePort()
  await router.open([{ port: entryPort, protocol: 'http' }], op)
  let current = await startGeneration(router, 1)
  await router.switch(routesOf(current, entryPort), op)
  const load = startLoadThread(
    services.map((service) => `http://127.0.0.1:${entryPort}/s${service}/`),
    { keepAlive: 4, fresh: 2 },
  )

  const bare = await connectHaproxy(join(home.folder, 'haproxy.sock'))
  const [ours, peer]: [number[], number[]] = [[], []]
  for (let number = 2; number <= switches + 1; number++) {
    const next = await startGeneration(router, number)
    const routes = routesOf(next, entryPort)
    peer.push(await timed(() => bareTransaction(bare)))
    ours.push(await timed(() => router.switch(routes, op)))
    load.expect(number)
    await endGeneration(router, current, number % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
    current = next
  }
  bare.close()
  const { requests, problems } = await load.stop()
  router.close()
  await current.process.end('SIGKILL')
  return [
    beside(
      'router: switch of an environment with 20 services, recorded durably',
      'ms',
      median(ours),
      ["HAProxy's own map transaction", median(peer)],
      figureAtMost(10),
    ),
    alone(
      `failed or stale of ${requests.toLocaleString('en')} answers in ${switches} switches`,
      'answers',
      problems.length,
      figureAtMost(0),
    ),
  ]
}

async function startGeneration(router: HaproxyRouter, number: number): Promise<Generation> {
  const port = await freePort()
  const process = await startInstance('0.0.0.0', port, String(number))
  const groups = services.map((service) => group(`s${service}-${number}`, [httpPort(port)]))
  for (const [service, each] of groups.entries())
    await router.join(each, instanceOf(each), `127.30.0.${service + 1}`, op)
  return { number, port, groups, process }
}

async function endGeneration(
  router: HaproxyRouter,
  generation: Generation,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<void> {
  await Promise.all(generation.groups.map((each) => router.leave(each.id, instanceOf(each), 5000, op)))
  await generation.process.end(signal)
  for (const each of generation.groups) await router.forget(each.id, op)
}

const routesOf = ({ number, groups, port }: Generation, entryPort: number) =>
  table(
    number,
    groups.map((each, service) => route(entryPort, each, port, { path: `/s${service}` })),
  )

/** What HAProxy alone needs for as large a map: no record, no checks. The map is one that nothing is routed by. */
async function bareTransaction(socket: HaproxySocket): Promise<void> {
  await replaceMap(
    socket,
    'edges.map',
    services.map((service): MapLine => [`192.0.2.1:${service}`, `h${service}`]),
  )
}

/** wrk over kept-alive connections, all on the same cores: the server directly, a bare HAProxy, the router. */
async function benchThroughput(
  home: TestHome,
  { rounds, folder: parent }: BenchOptions,
): Promise<readonly BenchRow[]> {
  const folder = mkdtempSync(join(parent, 'basalt-bench-'))
  const [direct, bare, entryPort] = [await freePort(), await freePort(), await freePort()]
  writeFileSync(join(folder, 'haproxy.cfg'), peers(direct, bare))
  execFileSync('haproxy', ['-D', '-C', folder, '-f', 'haproxy.cfg', '-p', 'pid'])
  const router = home.router()
  try {
    const web = group('web-1', [httpPort(direct)])
    await router.switch(table(1, []), op)
    await router.open([{ port: entryPort, protocol: 'http' }], op)
    await router.join(web, instanceOf(web), '127.0.0.1', op)
    await router.switch(table(2, [route(entryPort, web, direct)]), op)

    const rates = new Map<number, number[]>([direct, bare, entryPort].map((port) => [port, []]))
    for (let round = 0; round < rounds; round++) for (const [port, seen] of rates) seen.push(wrk(port))
    const name = 'requests through the router, keep-alive'
    const of = (port: number) => median(rates.get(port) ?? [])
    return [
      beside(name, '/s', of(entryPort), ['direct', of(direct)], ratioAtLeast(0.38)),
      beside(name, '/s', of(entryPort), ['bare HAProxy', of(bare)]),
    ]
  } finally {
    router.close()
    process.kill(Number(execFileSync('cat', [join(folder, 'pid')], { encoding: 'utf8' })))
    rmSync(folder, { recursive: true })
  }
}

/** A server that costs next to nothing, and the simplest HAProxy before it. */
const peers = (direct: number, bare: number): string => `global
  nbthread 2
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend direct
  bind 127.0.0.1:${direct}
  http-request return status 200 content-type text/plain string "hello"
listen bare
  bind 127.0.0.1:${bare}
  server direct 127.0.0.1:${direct}
`

function wrk(port: number): number {
  const args = ['-t1', '-c32', `-d${roundSeconds}s`, `http://127.0.0.1:${port}/`]
  const output = execFileSync('wrk', args, { encoding: 'utf8' })
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1])
}
