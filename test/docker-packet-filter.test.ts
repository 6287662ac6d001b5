import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DeploymentResult } from '../src/engine/engine.ts'
import { type Dockerd, dockerdMissing, openDockerd } from '../src/targets/docker/dockerd.fixture.ts'
import { execOrThrow } from '../src/util/exec.ts'
import { type BasaltHome, freePort, openBasaltHome, type RunOptions } from './basalt-home.fixture.ts'
import { writeStampedFiles, writeStampedSystem } from './stamped-system.fixture.ts'

const namespace = `basalt-filter-${process.pid}`
const inside = ['nsenter', `--net=/run/netns/${namespace}`]
/** What the kernel tells of interfaces is that of the namespace in which /sys was mounted. */
const withOwnSys = [
  ...inside,
  'unshare',
  '--mount',
  'sh',
  '-ec',
  'mount --rbind /sys/fs/cgroup /mnt; mount -t sysfs sysfs /sys; mount --rbind /mnt /sys/fs/cgroup; exec "$@"',
  'sh',
]

const run = async (...[program = '', ...args]: readonly string[]): Promise<string> =>
  (await execOrThrow('network.setup-failed', program, program, args)).stdout

describe('a machine whose packet filter is set up by Docker', () => {
  let basalt: BasaltHome
  let dockerd: Dockerd
  let port: number

  beforeAll(async () => {
    if (dockerdMissing() !== null) return
    await run('ip', 'netns', 'add', namespace)
    await run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
    const prefix = [...inside, 'unshare', '--mount', '--propagation', 'private']
    dockerd = await openDockerd({ prefix, iptables: true })
    // As Docker leaves it where it was Docker that turned forwarding on.
    await run(...inside, 'iptables', '-P', 'FORWARD', 'DROP')
    basalt = openBasaltHome()
    port = await freePort()
    writeStampedFiles(basalt.project)
    writeStampedSystem(basalt.project, { release: '1', target: 'docker', port })
  }, 120_000)
  beforeEach((context) => {
    const reason = dockerdMissing()
    if (reason !== null) context.skip(reason)
  })
  afterAll(async () => {
    if (dockerdMissing() !== null) return
    try {
      await basalt?.close()
    } finally {
      await dockerd?.close()
      await run('ip', 'netns', 'del', namespace)
    }
  }, 120_000)

  const options = (): RunOptions => ({
    prefix: withOwnSys,
    environment: { DOCKER_HOST: `unix://${dockerd.socketPath}` },
  })

  it('lets services answer, and reach what they need through the router and in no other way', async () => {
    const deployed = await basalt.json<DeploymentResult>(['deploy'], options())
    expect(deployed.outcome).toBe('succeeded')
    const answer = await run(...inside, 'curl', '--silent', '--include', `http://127.0.0.1:${port}/`)
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer).toContain('x-stamp-back: 1')
    expect(answer).toContain('x-stamp-front: 1')

    const [front = '', back = ''] = await Promise.all(
      ['front', 'back'].map(async (service) =>
        (await dockerd.run('ps', '--quiet', '--filter', `label=org.basalt.service=${service}`)).join(''),
      ),
    )
    const [address = ''] = await dockerd.run(
      'inspect',
      '--format',
      '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
      back,
    )
    const ask = `fetch('http://${address}:8080/').then(() => 'reached', (error) => error.cause.code).then(console.log)`
    expect(await dockerd.run('exec', front, '/bin/node', '-e', ask)).toEqual(['ECONNREFUSED'])
  }, 120_000)
})
