import { setTimeout as sleep } from 'node:timers/promises'
import type { StatusResult } from '../src/engine/engine.ts'
import { tinyService, writeTinySystem } from '../test/tiny-system.fixture.ts'
import { type BenchHome, freePort } from './bench-home.ts'
import { alone, type BenchOptions, type BenchRow, figureAtMost, median } from './row.ts'
import {
  connectServer,
  processorSeconds,
  programOf,
  residentBytes,
  type ServerProcess,
  startServer,
} from './server-process.ts'

const replicas = 10
const services = 5
const many = replicas * services
/** Until what the deployment has left behind is collected, and what an idle server runs is compiled. */
const settleMs = 20_000
const idleMs = 30_000

/** What a server costs that keeps 50 idle instances, and how soon the next one has them again. */
export async function benchIdleServer(
  home: BenchHome,
  { rounds }: BenchOptions,
): Promise<readonly BenchRow[]> {
  const service = tinyService({ replicas, expose: false, health: { http: '/up' } })
  writeTinySystem(home.project, {
    services: Object.fromEntries(Array.from({ length: services }, (_, index) => [`s${index}`, service])),
    environments: { staging: { ingress: await freePort(), watch: '0s' } },
  })
  await home.run('deploy', '-e', 'staging')
  const server = connectServer(home)
  try {
    return [...(await benchIdle(server)), ...(await benchRestart(home, server, rounds))]
  } finally {
    server.close()
  }
}

async function benchIdle({ engine }: ServerProcess): Promise<readonly BenchRow[]> {
  const { pid } = await engine.health()
  await sleep(settleMs)
  const before = processorSeconds(pid)
  await sleep(idleMs)
  const share = (processorSeconds(pid) - before) / idleMs
  return [
    alone(`server, ${many} idle instances: RSS`, 'MB', residentBytes(pid) / 1e6, figureAtMost(110)),
    alone(
      `server, ${many} idle instances checked every 2 s`,
      '% of a core',
      share * 100_000,
      figureAtMost(1),
    ),
  ]
}

/** From the start of the server's process, Node's own start included. */
async function benchRestart(
  home: BenchHome,
  { engine }: ServerProcess,
  rounds: number,
): Promise<readonly BenchRow[]> {
  const program = programOf(await engine.health())
  const times = { answers: [] as number[], adopted: [] as number[] }
  for (let round = 0; round <= rounds; round++) {
    await home.run('server', 'stop')
    const begun = performance.now()
    await startServer(home, program)
    times.answers.push(performance.now() - begun)
    const status = await engine.status({ system: null, environment: null })
    times.adopted.push(performance.now() - begun)
    if (healthyOf(status) !== many) throw new Error(`only ${healthyOf(status)} of ${many} adopted`)
    await sleep(1000)
  }
  return [
    alone('server, start of the process to its first answer', 'ms', median(times.answers.slice(1))),
    alone(
      `server, start of the process to \`status\` with ${many} adopted`,
      'ms',
      median(times.adopted.slice(1)),
      figureAtMost(250),
    ),
  ]
}

const healthyOf = ({ environments }: StatusResult): number =>
  environments.flatMap((environment) => environment.services).reduce((sum, { healthy }) => sum + healthy, 0)
