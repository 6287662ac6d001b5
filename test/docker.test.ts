import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type LoadRun, startLoad } from '../bench/load/load.ts'
import type { LoadReport } from '../bench/load/load-report.ts'
import type { DeploymentResult, HistoryResult, StatusResult } from '../src/engine/engine.ts'
import { type Dockerd, dockerdMissing, openDockerd } from '../src/targets/docker/dockerd.fixture.ts'
import { type BasaltHome, freePort, openBasaltHome, type RunOptions } from './basalt-home.fixture.ts'
import { type StampedSystem, writeStampedFiles, writeStampedSystem } from './stamped-system.fixture.ts'

const deploys = 20
const leastAnswersPerDeploy = 100

describe('a system on Docker', () => {
  let basalt: BasaltHome
  let dockerd: Dockerd
  let port: number
  let system: StampedSystem

  beforeAll(async () => {
    if (dockerdMissing() !== null) return
    dockerd = await openDockerd()
    basalt = openBasaltHome()
    port = await freePort()
    system = { release: 'first', target: 'local', port }
    writeStampedFiles(basalt.project)
    writeStampedSystem(basalt.project, system)
  }, 120_000)
  beforeEach((context) => {
    const reason = dockerdMissing()
    if (reason !== null) context.skip(reason)
  })
  afterAll(async () => {
    try {
      await basalt?.close()
    } finally {
      await dockerd?.close()
    }
  }, 120_000)

  const options = (more: RunOptions = {}): RunOptions => ({
    ...more,
    environment: { DOCKER_HOST: `unix://${dockerd.socketPath}` },
  })
  const change = (next: Partial<StampedSystem>): void => {
    system = { ...system, ...next }
    writeStampedSystem(basalt.project, system)
  }
  const deploy = (): Promise<DeploymentResult> => basalt.json(['deploy', '-e', 'staging'], options())
  const status = async () => (await basalt.json<StatusResult>(['status'], options())).environments
  const containers = () => dockerd.run('ps', '--all', '--no-trunc', '--quiet')
  /** Whatever the Engine has. */
  const left = async (): Promise<readonly string[]> => [
    ...(await containers()),
    ...(await dockerd.run('images', '--all', '--quiet')),
    ...(await dockerd.run('volume', 'ls', '--quiet')),
    ...(await dockerd.run('network', 'ls', '--format', '{{.Name}}')).filter((name) =>
      name.startsWith('basalt-'),
    ),
  ]
  const load = (rate: number): LoadRun =>
    startLoad({
      url: `http://127.0.0.1:${port}/`,
      rate,
      keepAlive: 16,
      newConnections: 4,
      timeoutMs: 20_000,
      expectSameStamp: true,
    })
  const expectGood = (report: LoadReport): void => {
    expect(report.failures).toEqual({})
    expect(report).toMatchObject({ failed: 0, mixed: 0 })
  }

  it('came from the local target by one changed line: the same release, and no request noticed', async () => {
    const before = await deploy()
    const running = load(500)
    change({ target: 'docker' })
    const moved = await deploy()
    expect(moved).toMatchObject({ outcome: 'succeeded', requests: { failed: 0 } })
    expect(moved.release?.digest).toBe(before.release?.digest)
    expect(await status()).toMatchObject([{ target: 'docker', state: 'serving', drift: [] }])
    expect(await containers()).toHaveLength(2)
    const report = await running.stop()
    expectGood(report)
    // Of the same release before and after.
    expect(report.periods).toHaveLength(1)
  }, 180_000)

  it(`loses and mixes nothing in ${deploys} deploys in a row under load`, async () => {
    const running = load(2000)
    for (let number = 1; number <= deploys; number++) {
      const answersBefore = running.answers()
      change({ release: String(number) })
      expect(await deploy()).toMatchObject({ outcome: 'succeeded', requests: { failed: 0 } })
      // Far less than the load asks for, but a deploy without traffic would show nothing.
      expect(running.answers() - answersBefore).toBeGreaterThan(leastAnswersPerDeploy)
    }
    const report = await running.stop()
    console.log(`${report.requests} requests, ${Math.round(report.ratePerSecond)} a second`)
    expectGood(report)
    // Each switch is seen once: nobody hops between releases.
    expect(report.periods).toHaveLength(deploys + 1)
    // The last generation, and the warm one.
    expect(await containers()).toHaveLength(4)
  }, 400_000)

  it('that never turns healthy in its new version: the old one serves all along, nothing of the new one stays', async () => {
    const before = await containers()
    const running = load(200)
    change({ release: 'sick', health: 503 })
    const failed = await basalt.fails(['deploy', '-e', 'staging'], options())
    expect(failed).toMatchObject({ code: 'group.unhealthy', exitCode: 1 })
    expect(await containers()).toEqual(before)
    expect(await status()).toMatchObject([{ state: 'serving', drift: [] }])
    const report = await running.stop()
    expectGood(report)
    expect(report.periods.map(({ stamps }) => stamps)).toEqual([
      { front: String(deploys), back: String(deploys) },
    ])
    change({ health: 200 })
  }, 120_000)

  it('goes on when the server is killed in the middle of a deployment, and the next one ends it', async () => {
    const running = load(200)
    change({ release: 'killed' })
    let killed = false
    await basalt.run(
      ['deploy', '-e', 'staging'],
      options({
        onOutput: (text) => {
          if (killed || !text.includes('starting front')) return
          killed = true
          process.kill(serverPid(), 'SIGKILL')
        },
      }),
    )
    expect(killed).toBe(true)
    expect((await lastDeployment()).outcome).toBe('succeeded')
    expect(await status()).toMatchObject([{ state: 'serving', drift: [] }])
    expectGood(await running.stop())
  }, 120_000)

  it('is whole again after a restart of Docker in the middle of a deployment', async () => {
    change({ release: 'restarted' })
    let restarting: Promise<void> | undefined
    await basalt.run(
      ['deploy', '-e', 'staging'],
      options({
        onOutput: (text) => {
          if (restarting !== undefined || !text.includes('starting front')) return
          restarting = dockerd.stop().then(() => dockerd.start())
        },
      }),
    )
    await restarting
    const { outcome, release, previous } = await lastDeployment()
    const serving = outcome === 'succeeded' ? release : previous
    await expect
      .poll(async () => await status(), { timeout: 60_000, interval: 500 })
      .toMatchObject([{ state: 'serving', drift: [], release: { name: serving?.name } }])
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-stamp-front')).toBe(answer.headers.get('x-stamp-back'))
  }, 180_000)

  it('leaves nothing in Docker when it is removed', async () => {
    expect(await left()).not.toEqual([])
    await basalt.json(['remove', '--yes'], options())
    expect(await left()).toEqual([])
  }, 120_000)

  const serverPid = (): number =>
    Number(/^pid (\d+)/.exec(readFileSync(join(basalt.home, 'server.lock'), 'utf8'))?.[1])

  async function lastDeployment(): Promise<DeploymentResult> {
    const { attempts } = await basalt.json<HistoryResult>(['history'], options())
    const { stdout } = await basalt.run(['follow', attempts[0]?.deployment ?? '', '-o', 'json'], options())
    return JSON.parse(stdout) as DeploymentResult
  }
})
