import { setTimeout as sleep } from 'node:timers/promises'
import type { DeploymentResult } from '../src/engine/engine.ts'
import {
  type ServiceText,
  tinyService,
  writeTinyFiles,
  writeTinySystem,
} from '../test/tiny-system.fixture.ts'
import { type BenchHome, freePort, openBenchHome } from './bench-home.ts'
import { benchIdleServer } from './idle-server.ts'
import { alone, type BenchOptions, type BenchRow, figureAtMost, median } from './row.ts'
import { connectServer, type ServerProcess } from './server-process.ts'

const services = 20
/** Longer than the pool of namespaces waits for a quiet moment and needs to fill up again. */
const refillMs = 3500

/**
 * The whole engine with a system of 20 tiny services, and a server that keeps 50 instances: the real command line, the
 * real server, real containers, the real router. Needs root and what the local target needs.
 */
export async function benchSystem(options: BenchOptions): Promise<readonly BenchRow[]> {
  return [
    ...(await inHome((home) => benchTwenty(home, options))),
    ...(await inHome((home) => benchIdleServer(home, options))),
  ]
}

async function inHome<Result>(work: (home: BenchHome) => Promise<Result>): Promise<Result> {
  const home = openBenchHome()
  try {
    writeTinyFiles(home.project)
    return await work(home)
  } finally {
    await home.close()
  }
}

async function benchTwenty(home: BenchHome, { rounds }: BenchOptions): Promise<readonly BenchRow[]> {
  const port = await freePort()
  const deploy = async (version: string): Promise<DeploymentResult> => {
    writeTwenty(home, port, version)
    return (await home.run<DeploymentResult>('deploy', '-e', 'staging')).document
  }
  await deploy('0')
  const server = connectServer(home)
  try {
    const times = { whole: [] as number[], beyond: [] as number[] }
    for (let round = 1; round <= rounds; round++) {
      await sleep(refillMs)
      const result = await deploy(String(round))
      if (result.groups.started.length !== services) throw new Error('not every service was started')
      times.whole.push(result.durationMs)
      times.beyond.push(result.durationMs - (await slowestStartMs(server, result)))
    }
    return [
      alone(`deploy of ${services} services, in the server`, 'ms', median(times.whole)),
      alone(
        `deploy of ${services} services, beyond the slowest one's own start`,
        'ms',
        median(times.beyond),
        figureAtMost(500),
      ),
      ...(await benchSwitch(home, rounds)),
    ]
  } finally {
    server.close()
  }
}

/** Three layers: ten services, six that need one of these each, four that need two of those. Each answers at a path. */
function writeTwenty(home: BenchHome, port: number, version: string): void {
  const named = (index: number): string => `s${index}`
  const needs = (index: number): readonly string[] => {
    if (index < 10) return []
    return index < 16 ? [named(index - 10)] : [named(index - 6), named(index - 5)]
  }
  const entries = Array.from({ length: services }, (_, index): [string, ServiceText] => [
    named(index),
    tinyService({
      expose: { path: `/${named(index)}` },
      needs: needs(index),
      env: { VERSION: version },
      // As the first process of a container busybox httpd ignores SIGTERM: its grace would be all that is measured.
      stop: { signal: 'SIGKILL' },
    }),
  ])
  writeTinySystem(home.project, {
    services: Object.fromEntries(entries),
    environments: { staging: { ingress: port, watch: '0s' } },
  })
}

async function slowestStartMs({ engine }: ServerProcess, { deployment }: DeploymentResult): Promise<number> {
  const starts: number[] = []
  for await (const { code, data } of engine.follow(deployment))
    if (code === 'group.healthy') starts.push(Number(data?.['durationMs']))
  return Math.max(...starts)
}

/** Between two generations that both run: nothing but the switch. */
async function benchSwitch(home: BenchHome, rounds: number): Promise<readonly BenchRow[]> {
  const last = [`tiny@${rounds}`, `tiny@${rounds + 1}`]
  const times = { whole: [] as number[], switches: [] as number[] }
  for (let round = 0; round <= 2 * rounds; round++) {
    const { document } = await home.run<DeploymentResult>(
      'rollback',
      last[round % 2] ?? '',
      '-e',
      'staging',
      '--yes',
    )
    if (document.groups.started.length > 0) throw new Error('the rollback was not a warm one')
    times.whole.push(document.durationMs)
    times.switches.push(document.switchMs ?? Number.NaN)
    await sleep(500)
  }
  const name = `warm rollback of ${services} services`
  return [
    alone(`${name}, in the server`, 'ms', median(times.whole.slice(1))),
    alone(
      `${name}, the switch through the whole engine`,
      'ms',
      median(times.switches.slice(1)),
      figureAtMost(10),
    ),
  ]
}
