import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Dockerd, dockerdMissing, openDockerd } from '../src/targets/docker/dockerd.fixture.ts'
import { exec } from '../src/util/exec.ts'
import { tinyService, writeTinyFiles, writeTinySystem } from '../test/tiny-system.fixture.ts'
import { type BenchHome, freePort, openBenchHome } from './bench-home.ts'
import { firstAnswer } from './first-answer.ts'
import { startLoad } from './load/load.ts'
import { type BenchOptions, type BenchRow, beside, figureAtMost, median, type Skipped, timed } from './row.ts'

const compose = '/usr/bin/docker-compose'
/** Before and after the replacement: what is lost at its edges is seen too. */
const marginMs = 500

/**
 * One service replaced under the same load, by a whole command: `basalt deploy` on the docker target, and
 * `docker-compose up -d`, which stops the old container before it starts the new one. By turns. Needs root and dockerd.
 */
export async function benchDockerRecreate({
  rounds,
  folder,
}: BenchOptions): Promise<readonly BenchRow[] | Skipped> {
  const missing =
    dockerdMissing() ?? (existsSync(compose) ? null : 'needs it: apt-get install docker-compose')
  if (missing !== null) return { skipped: missing }
  const dockerd = await openDockerd()
  const project = mkdtempSync(join(folder, 'basalt-bench-compose-'))
  try {
    const home = openBenchHome({ DOCKER_HOST: `unix://${dockerd.socketPath}` })
    try {
      return await benchReplace(home, await composeProject(dockerd, project), rounds)
    } finally {
      await home.close()
    }
  } finally {
    rmSync(project, { recursive: true, force: true })
    await dockerd.close()
  }
}

/** Brings a version up, whatever ran before; the port answers. */
interface Deployer {
  readonly port: number
  readonly up: (version: string) => Promise<unknown>
}

async function benchReplace(home: BenchHome, theirs: Deployer, rounds: number): Promise<readonly BenchRow[]> {
  const ours = await basaltProject(home)
  const figures = { ours: [] as Figures[], theirs: [] as Figures[] }
  for (let round = 0; round <= rounds; round++) {
    figures.theirs.push(await replaceUnderLoad(theirs, round))
    figures.ours.push(await replaceUnderLoad(ours, round))
  }
  const of = (values: readonly Figures[], figure: keyof Figures) =>
    median(values.slice(1).map((one) => one[figure]))
  const peer = (figure: keyof Figures) => ['docker-compose up -d', of(figures.theirs, figure)] as const
  return [
    beside(
      'one service replaced under load: failed requests',
      'requests',
      of(figures.ours, 'failed'),
      peer('failed'),
      figureAtMost(0),
    ),
    beside(
      'one service replaced under load, whole command',
      'ms',
      of(figures.ours, 'tookMs'),
      peer('tookMs'),
    ),
  ]
}

interface Figures {
  readonly failed: number
  readonly tookMs: number
}

async function replaceUnderLoad({ port, up }: Deployer, round: number): Promise<Figures> {
  const url = `http://127.0.0.1:${port}/`
  await up(`before ${round}`)
  await firstAnswer(url)
  const load = startLoad({
    url,
    rate: 500,
    keepAlive: 8,
    newConnections: 4,
    timeoutMs: 5000,
    expectSameStamp: false,
  })
  await pause()
  const tookMs = await timed(() => up(`after ${round}`))
  await firstAnswer(url)
  await pause()
  return { failed: (await load.stop()).failed, tookMs }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, marginMs))

async function basaltProject(home: BenchHome): Promise<Deployer> {
  const port = await freePort()
  writeTinyFiles(home.project)
  return {
    port,
    up(version) {
      writeTinySystem(home.project, {
        services: { web: tinyService({ env: { VERSION: version }, stop: { signal: 'SIGKILL' } }) },
        environments: { staging: { target: 'docker', ingress: port, watch: '0s' } },
      })
      return home.run('deploy', '-e', 'staging')
    },
  }
}

async function composeProject(dockerd: Dockerd, folder: string): Promise<Deployer> {
  const port = await freePort()
  mkdirSync(join(folder, 'root/bin'), { recursive: true })
  copyFileSync('/bin/busybox', join(folder, 'root/bin/busybox'))
  writeTinyFiles(join(folder, 'root'))
  await exec('tar', ['-C', join(folder, 'root'), '-cf', join(folder, 'root.tar'), '.'])
  await dockerd.run('import', join(folder, 'root.tar'), 'bench:latest')
  const file = join(folder, 'docker-compose.yaml')
  return {
    port,
    async up(version) {
      const web = {
        image: 'bench:latest',
        command: ['/bin/busybox', 'httpd', '-f', '-p', '8080', '-h', '/www'],
        environment: { VERSION: version },
        ports: [`127.0.0.1:${port}:8080`],
        stop_signal: 'SIGKILL',
      }
      writeFileSync(file, JSON.stringify({ version: '3', services: { web } }))
      const env = { PATH: '/usr/bin:/bin', HOME: folder, DOCKER_HOST: `unix://${dockerd.socketPath}` }
      const { exitCode, stderr } = await exec(compose, ['-f', file, 'up', '-d'], { env, cwd: folder })
      if (exitCode !== 0) throw new Error(stderr)
    },
  }
}
