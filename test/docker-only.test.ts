import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DeploymentResult } from '../src/engine/engine.ts'
import { type Dockerd, dockerdMissing, openDockerd } from '../src/targets/docker/dockerd.fixture.ts'
import { type BasaltHome, freePort, openBasaltHome, type RunOptions } from './basalt-home.fixture.ts'
import { type MachineWithout, machineWithout } from './machine-without.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

const patience = { timeout: 30_000, interval: 200 }

describe('a machine that has Docker, and neither an OCI runtime nor HAProxy', () => {
  let basalt: BasaltHome
  let dockerd: Dockerd
  let machine: MachineWithout
  let port: number

  beforeAll(async () => {
    if (dockerdMissing() !== null) return
    dockerd = await openDockerd()
    machine = machineWithout(['haproxy', 'crun', 'runc'])
    basalt = openBasaltHome()
    port = await freePort()
    writeTinyFiles(basalt.project)
    writeTinySystem(basalt.project, {
      // As the first process of a container, httpd heeds no other signal.
      services: { web: tinyService({ stop: { signal: 'SIGKILL' } }) },
      environments: { staging: { target: 'docker', ingress: port, watch: '0s' } },
    })
  }, 120_000)
  beforeEach((context) => {
    const reason = dockerdMissing()
    if (reason !== null) context.skip(reason)
  })
  afterAll(async () => {
    try {
      await basalt?.close()
    } finally {
      machine?.remove()
      await dockerd?.close()
    }
  }, 120_000)

  const options = (): RunOptions => ({
    prefix: machine.prefix,
    environment: { DOCKER_HOST: `unix://${dockerd.socketPath}` },
  })
  const router = () => dockerd.run('ps', '--quiet', '--filter', 'name=router')
  const visit = (): Promise<string> =>
    fetch(`http://127.0.0.1:${port}/`).then(
      (answer) => answer.text(),
      () => 'no answer',
    )

  it('serves there, by a router in a container that Basalt built', async () => {
    const deployed = await basalt.json<DeploymentResult>(['deploy'], options())
    expect(deployed.outcome).toBe('succeeded')
    expect(await visit()).toBe('one\n')
    expect(await router()).toHaveLength(1)
  }, 120_000)

  it('switches as everywhere, and the router stays the same one', async () => {
    const before = await router()
    writePage(basalt.project, 'index.html', 'two\n')
    expect(await basalt.json<DeploymentResult>(['deploy'], options())).toMatchObject({ outcome: 'succeeded' })
    expect(await visit()).toBe('two\n')
    expect(await router()).toEqual(before)
    await basalt.json(['server', 'restart'], options())
    expect(await visit()).toBe('two\n')
    expect(await router()).toEqual(before)
  }, 120_000)

  it('has the router again after somebody killed it, and after a restart of Docker', async () => {
    const [before = ''] = await router()
    await dockerd.run('kill', before)
    await expect.poll(visit, patience).toBe('two\n')
    await dockerd.stop()
    expect(await visit()).toBe('no answer')
    await dockerd.start()
    await expect.poll(visit, patience).toBe('two\n')
  }, 120_000)

  it('has nothing of Basalt in Docker when it is removed', async () => {
    await basalt.json(['remove', '--yes'], options())
    expect(await dockerd.run('ps', '--all', '--quiet')).toEqual([])
    expect(await dockerd.run('images', '--all', '--quiet')).toEqual([])
  }, 120_000)
})

describe('a machine where no Docker Engine answers', () => {
  let basalt: BasaltHome
  beforeAll(() => {
    basalt = openBasaltHome()
  }, 60_000)
  afterAll(() => basalt.close(), 60_000)

  it('says so before anything is started, and what helps', async () => {
    writeTinyFiles(basalt.project)
    writeTinySystem(basalt.project, {
      services: { web: tinyService() },
      environments: { staging: { target: 'docker', ingress: await freePort() } },
    })
    const environment = { DOCKER_HOST: 'unix:///nowhere/docker.sock' }
    expect(await basalt.fails(['deploy'], { environment })).toMatchObject({
      code: 'docker.unreachable',
      message: expect.stringContaining('/nowhere/docker.sock') as unknown,
      remedy: expect.stringContaining('systemctl start docker') as unknown,
      exitCode: 3,
    })
  })
})
