import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeploymentResult, StatusResult } from '../src/engine/engine.ts'
import { type BenchHome, freePort, openBenchHome } from './bench-home.ts'
import { alone, type BenchOptions, type BenchRow, beside, figureAtMost, median, timed } from './row.ts'

const example = resolve(import.meta.dirname, '../examples/shop')

/**
 * Whole commands as a person types them, with the example shop (Node, Python and Redis) serving from two
 * environments: one stays warm after a deployment, the other does not. Needs root and what the local target needs.
 */
export async function benchCommands({ rounds }: BenchOptions): Promise<readonly BenchRow[]> {
  const shop = openBenchHome()
  try {
    await prepare(shop)
    return [
      ...(await benchSmall(shop, rounds)),
      ...(await benchWarm(shop, rounds)),
      ...(await benchCold(shop, rounds)),
    ]
  } finally {
    await shop.close()
  }
}

/** shop@1 and shop@2 in both environments; production keeps nothing warm. */
async function prepare(shop: BenchHome): Promise<void> {
  cpSync(example, shop.project, { recursive: true, filter: (source) => !source.endsWith('basalt.lock') })
  const file = join(shop.project, 'basalt.yaml')
  const manifest = readFileSync(file, 'utf8')
    .replace('ingress: 8080', `ingress: ${await freePort()}`)
    .replace('ingress: 8090', `ingress: ${await freePort()}\n    warm: 0s\n    watch: 0s`)
    .replace('watch: 2s', 'watch: 0s')
  shop.commit()
  for (const release of ['1', '2']) {
    writeFileSync(file, manifest.replaceAll('RELEASE: "1"', `RELEASE: "${release}"`))
    for (const environment of ['staging', 'production']) await shop.run('deploy', '-e', environment)
  }
}

async function benchSmall(shop: BenchHome, rounds: number): Promise<readonly BenchRow[]> {
  const times = {
    version: [] as number[],
    status: [] as number[],
    deploy: [] as number[],
    node: [] as number[],
  }
  for (let round = 0; round <= rounds; round++) {
    times.node.push(await timed(startNode))
    times.version.push((await shop.run('version')).tookMs)
    times.status.push((await shop.run('status')).tookMs)
    const { document, tookMs } = await shop.run<DeploymentResult>('deploy', '-e', 'staging')
    if (document.outcome !== 'unchanged') throw new Error(`the deployment was ${document.outcome}`)
    times.deploy.push(tookMs)
  }
  const node = ['`node -e 0`', median(times.node.slice(1))] as const
  return [
    beside('`basalt version`', 'ms', median(times.version.slice(1)), node),
    beside('`basalt status`', 'ms', median(times.status.slice(1)), node),
    beside('`basalt deploy`, nothing changed', 'ms', median(times.deploy.slice(1)), node, figureAtMost(350)),
  ]
}

/** The same Node that runs Basalt: nothing written in it can be quicker. */
const startNode = () => once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')

async function benchWarm(shop: BenchHome, rounds: number): Promise<readonly BenchRow[]> {
  const { whole, server, switches } = await rollBackAndForth(shop, 'staging', rounds)
  return [
    alone('warm rollback of the shop, whole command', 'ms', median(whole), figureAtMost(300)),
    alone('warm rollback of the shop, in the server', 'ms', median(server), figureAtMost(30)),
    alone('warm rollback of the shop, the switch alone', 'ms', median(switches)),
  ]
}

/** Every instance is started anew; that Node, Python and Redis start takes most of it. */
async function benchCold(shop: BenchHome, rounds: number): Promise<readonly BenchRow[]> {
  const { whole, server } = await rollBackAndForth(shop, 'production', rounds)
  return [
    alone('cold rollback of the shop, whole command', 'ms', median(whole)),
    alone('cold rollback of the shop, in the server', 'ms', median(server)),
  ]
}

async function rollBackAndForth(shop: BenchHome, environment: string, rounds: number) {
  const times = { whole: [] as number[], server: [] as number[], switches: [] as number[] }
  for (let round = 0; round <= rounds; round++) {
    const release = round % 2 === 0 ? 'shop@1' : 'shop@2'
    const { document, tookMs } = await shop.run<DeploymentResult>(
      'rollback',
      release,
      '-e',
      environment,
      '--yes',
    )
    if (document.outcome !== 'succeeded') throw new Error(`the rollback ${document.outcome}`)
    const started = document.groups.started.length
    if (started > 0 !== (environment === 'production'))
      throw new Error(`the rollback started ${started} groups`)
    if (round > 0) {
      times.whole.push(tookMs)
      times.server.push(document.durationMs)
      times.switches.push(document.switchMs ?? Number.NaN)
    }
    await settled(shop)
  }
  return times
}

/** Until nothing is under way any more that a command would wait for or compete with. */
async function settled(shop: BenchHome): Promise<void> {
  for (;;) {
    await sleep(500)
    const { document } = await shop.run<StatusResult>('status')
    if (document.environments.every(({ state }) => state === 'serving')) return
  }
}
