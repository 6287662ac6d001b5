import Docker from 'dockerode'
import type { DeploymentResult } from '../src/engine/engine.ts'
import { type Dockerd, dockerdMissing, openDockerd } from '../src/targets/docker/dockerd.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from '../test/tiny-system.fixture.ts'
import { type BenchHome, freePort, openBenchHome } from './bench-home.ts'
import { firstAnswer } from './first-answer.ts'
import {
  alone,
  type BenchOptions,
  type BenchRow,
  figureAtMost,
  type Goal,
  median,
  type Skipped,
  timed,
} from './row.ts'

/**
 * Replacing one service on the docker target: the whole deployment, in the server, less what its container takes from the
 * Engine's create to the first good answer, which is measured on a twin of it by turns. Needs root and dockerd.
 */
export async function benchDockerDeploy({ rounds }: BenchOptions): Promise<readonly BenchRow[] | Skipped> {
  const missing = dockerdMissing()
  if (missing !== null) return { skipped: missing }
  const dockerd = await openDockerd()
  try {
    const home = openBenchHome({ DOCKER_HOST: `unix://${dockerd.socketPath}` })
    try {
      return await benchReplace(home, dockerd, rounds)
    } finally {
      await home.close()
    }
  } finally {
    await dockerd.close()
  }
}

async function benchReplace(home: BenchHome, dockerd: Dockerd, rounds: number): Promise<readonly BenchRow[]> {
  const ingress = await freePort()
  writeTinyFiles(home.project)
  const docker = new Docker({ socketPath: dockerd.socketPath })
  /** The whole deployment, in the server. */
  const deploy = async (version: string): Promise<number> => {
    writeTinySystem(home.project, {
      // As the first process of a container, httpd heeds no other signal: its patience is not what is measured.
      services: { web: tinyService({ env: { VERSION: version }, stop: { signal: 'SIGKILL' } }) },
      environments: { staging: { target: 'docker', ingress, watch: '0s' } },
    })
    const { document } = await home.run<DeploymentResult>('deploy', '-e', 'staging')
    if (document.groups.started.length !== 1) throw new Error('the service was not replaced')
    return document.durationMs
  }
  const times = {
    variable: [] as number[],
    image: [] as number[],
    older: [] as number[],
    own: [] as number[],
  }
  for (let round = 0; round <= rounds; round++) {
    await deploy(`before ${round}`)
    times.variable.push(await deploy(`after ${round}`))
    // From the third on the one before the last is taken away too.
    times.older.push(await deploy(`later ${round}`))
    times.own.push(await timeTwin(docker))
    await home.run('down', '-e', 'staging', '--yes')
    await deploy(`again ${round}`)
    writePage(home.project, 'index.html', `round ${round}\n`)
    times.image.push(await deploy(`again ${round}`))
    await home.run('down', '-e', 'staging', '--yes')
  }
  const of = (values: readonly number[]): number => median(values.slice(1))
  const own = of(times.own)
  const beyond = (what: string, values: readonly number[], goal: Goal | null = null): BenchRow =>
    alone(
      `one service replaced on docker, beyond its container's own start: ${what}`,
      'ms',
      of(values) - own,
      goal,
    )
  return [
    alone('a container like ours: create, start, first 200', 'ms', own),
    alone('one service replaced on docker, in the server', 'ms', of(times.variable)),
    beyond('a changed variable', times.variable, figureAtMost(150)),
    beyond('a new image, loaded into the Engine', times.image),
    beyond('and the generation before the last one removed', times.older),
  ]
}

/** A container like the newest one that Basalt made, at another address of the same network. */
async function timeTwin(docker: Docker): Promise<number> {
  const [newest] = await docker.listContainers({ filters: { name: ['web-'] } })
  const { Config, HostConfig, NetworkSettings } = await docker.getContainer(newest?.Id ?? '').inspect()
  const [[network, endpoint] = ['', undefined]] = Object.entries(NetworkSettings.Networks)
  const address = (endpoint?.IPAddress ?? '').replace(/\d+\.\d+$/, '126.126')
  let id = ''
  const took = await timed(async () => {
    const twin = await docker.createContainer({
      Image: Config.Image,
      Env: Config.Env,
      Entrypoint: Config.Entrypoint,
      Cmd: Config.Cmd,
      HostConfig,
      NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: address } } } },
    })
    id = twin.id
    await twin.start()
    await firstAnswer(`http://${address}:8080/up`)
  })
  await docker.getContainer(id).remove({ force: true })
  return took
}
