import { setTimeout as sleep } from 'node:timers/promises'
import { type LocalWorld, op, openLocalWorld, staging } from '../src/targets/local/local-target.fixture.ts'
import { type DockerEngine, dockerMissing, openDockerEngine } from './docker-engine.ts'
import { firstAnswer } from './first-answer.ts'
import { keeperBytes, proportionalBytes, refillMs, timeStart, webGroup } from './local-start.ts'
import {
  alone,
  type BenchOptions,
  type BenchRow,
  beside,
  median,
  ratioAtMost,
  type Skipped,
  timed,
} from './row.ts'

const many = 50
const firstPort = 28_200
const command = ['/bin/busybox', 'httpd', '-f', '-p', '8080', '-h', '/etc']

/**
 * The local target beside a Docker Engine, both with namespaces, limits and seccomp of each instance's own, by turns:
 * from the start command to the first 200, and what an idle instance costs. Needs root and dockerd.
 */
export async function benchDocker({ rounds, folder }: BenchOptions): Promise<readonly BenchRow[] | Skipped> {
  const missing = dockerMissing()
  if (missing !== null) return { skipped: missing }
  const docker = await openDockerEngine(folder)
  try {
    const world = await openLocalWorld()
    try {
      return [...(await benchStarts(docker, world, rounds)), ...(await benchIdle(docker, world))]
    } finally {
      await world.close()
    }
  } finally {
    await docker.close()
  }
}

async function benchStarts(
  docker: DockerEngine,
  world: LocalWorld,
  rounds: number,
): Promise<readonly BenchRow[]> {
  const times = { one: [] as number[], api: [] as number[], dockerOne: [] as number[] }
  const fifty = { ours: [] as number[], docker: [] as number[] }
  for (let round = 0; round <= rounds; round++) {
    times.dockerOne.push(await timeDocker(docker, 1, startByClient))
    times.api.push(await timeDocker(docker, 1, startByApi))
    times.one.push(await timeStart(world, webGroup(world, 1, `one${round}`)))
    fifty.docker.push(await timeDocker(docker, many, startByClient))
    await sleep(refillMs)
    fifty.ours.push(await timeStart(world, webGroup(world, many, `many${round}`)))
    await sleep(refillMs)
  }
  const of = (values: readonly number[]) => median(values.slice(1))
  const run = (values: readonly number[]) => ['docker run -d -p', of(values)] as const
  const [one, fiftyAtOnce] = [
    'one instance, command to first 200',
    `${many} instances at once, to the last first 200`,
  ]
  return [
    beside(one, 'ms', of(times.one), run(times.dockerOne), ratioAtMost(1 / 6)),
    beside(one, 'ms', of(times.one), ["Docker's API, port published", of(times.api)]),
    beside(fiftyAtOnce, 'ms', of(fifty.ours), run(fifty.docker), ratioAtMost(1 / 15)),
  ]
}

type StartContainer = (docker: DockerEngine, port: number) => Promise<unknown>

const startByClient: StartContainer = (docker, port) =>
  docker.run(['run', '--detach', '--publish', `${port}:8080`, docker.image, ...command])

const startByApi: StartContainer = async (docker, port) => {
  const { Id } = await docker.call<{ Id: string }>('/containers/create', {
    Image: docker.image,
    Cmd: command,
    ExposedPorts: { '8080/tcp': {} },
    HostConfig: { PortBindings: { '8080/tcp': [{ HostPort: String(port) }] } },
  })
  await docker.call(`/containers/${Id}/start`, {})
}

async function timeDocker(docker: DockerEngine, count: number, start: StartContainer): Promise<number> {
  const took = await timed(() => startDocker(docker, count, start))
  await removeAll(docker)
  return took
}

const startDocker = (docker: DockerEngine, count: number, start: StartContainer) =>
  Promise.all(
    Array.from({ length: count }, async (_, index) => {
      await start(docker, firstPort + index)
      await firstAnswer(`http://${docker.address}:${firstPort + index}/passwd`)
    }),
  )

/** One after the other: Docker 20.10 may hang for ever when it is to remove 50 at once. */
async function removeAll(docker: DockerEngine): Promise<void> {
  for (const id of (await docker.run(['ps', '--all', '--quiet'])).split('\n'))
    await docker.run(['rm', '--force', id])
}

/** With 50 idle instances on either side. */
async function benchIdle(docker: DockerEngine, world: LocalWorld): Promise<readonly BenchRow[]> {
  await startDocker(docker, many, startByClient)
  await world.target.start(webGroup(world, many, 'idle'), op())
  await sleep(refillMs)
  const [observed] = (await world.target.observe(staging, op())).groups
  const records = await Promise.all((observed?.instances ?? []).map(({ id }) => world.record(id)))
  const keeper = median(records.map(({ process }) => keeperBytes(process.pid)))
  const { fixed, beside: around } = docker.processes()
  const mebibytes = (pids: readonly number[]) =>
    pids.reduce((sum, pid) => sum + proportionalBytes(pid), 0) / 2 ** 20
  const engine = alone(`Docker ${docker.version}: dockerd and containerd, ${many} idle containers`, 'MiB', 0)
  return [
    beside('memory beside an idle instance, PSS', 'MiB', keeper / 2 ** 20, [
      "Docker's shim and port proxies",
      mebibytes(around) / many,
    ]),
    { ...engine, ours: null, peer: mebibytes(fixed), against: 'PSS' },
  ]
}
