import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type {
  DeploymentResult,
  DeploymentStarted,
  HistoryResult,
  StatusResult,
} from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { instanceNames, tracesBesidePool } from './machine-traces.fixture.ts'
import {
  type ServiceText,
  shellService,
  tinyService,
  writeTinyFiles,
  writeTinySystem,
} from './tiny-system.fixture.ts'

/** An environment that serves one release, and all that can go wrong on the way to the next. */
describe('a deployment that cannot succeed', () => {
  let basalt: BasaltHome
  let port: number
  let before: unknown

  beforeAll(async () => {
    basalt = openBasaltHome()
    port = await freePort()
    writeTinyFiles(basalt.project)
    write(tinyService())
    await basalt.json(['deploy'])
  })

  afterAll(() => basalt.close())

  beforeEach(async () => {
    before = await footprintAtRest()
  })

  /** Of each case: the old release serves, and of the failed one nothing is left: no process, mount, cgroup, record or route. */
  afterEach(expectUntouched)

  async function expectUntouched(): Promise<void> {
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('one\n')
    // A process that ends by itself is none that was left behind.
    await expect.poll(footprint, { timeout: 20_000, interval: 300 }).toEqual(before)
  }

  /** Without what was just passing by. */
  async function footprintAtRest(): Promise<unknown> {
    const first = await footprint()
    const second = await footprint()
    return isDeepStrictEqual(first, second) ? first : footprintAtRest()
  }

  async function footprint(): Promise<unknown> {
    const { environments } = await basalt.json<StatusResult>(['status'])
    return {
      traces: await tracesBesidePool(basalt.home),
      instances: await instanceNames(basalt.home),
      environments: environments.map(({ name, state, release, generation, endpoints, services, drift }) => ({
        name,
        state,
        release,
        generation,
        endpoints,
        drift,
        services: services.map(({ group, desired, healthy, problems }) => ({
          group,
          desired,
          healthy,
          problems,
        })),
      })),
    }
  }

  function write(web: ServiceText, environments: Record<string, unknown> = {}): void {
    writeTinySystem(basalt.project, {
      services: { web: { stop: { grace: '200ms' }, ...web } },
      environments: { staging: { ingress: port, watch: '2s', warm: '0s' }, ...environments },
    })
  }

  const health = (more: ServiceText): ServiceText => ({
    http: '/up',
    interval: '200ms',
    start: '800ms',
    ...more,
  })
  const httpd = '/bin/busybox httpd -p 8080 -h /www'

  it.each<[string, ServiceText, string, RegExp, readonly string[]]>([
    [
      'an instance that dies at once',
      shellService('echo reading settings; echo "settings.json: no such file" >&2; exit 3'),
      'group.died',
      /^an instance of web ended with exit code 3 after [\d.]+ s$/,
      ['reading settings', 'settings.json: no such file'],
    ],
    [
      'a command that the image does not have',
      tinyService({ command: ['/bin/nothing'] }),
      'group.died',
      /^web cannot run \/bin\/nothing: its image has no such executable file$/,
      [expect.stringContaining('/bin/nothing') as string],
    ],
    [
      'a health check that never passes',
      shellService(`echo listening; exec ${httpd} -f`, { health: health({ http: '/nowhere' }) }),
      'group.unhealthy',
      /^1 of 1 instances of web unhealthy after [\d.]+ s: GET \/nowhere gave 404$/,
      ['listening'],
    ],
    [
      'a health check that is answered too late',
      shellService(`echo warming up; /bin/busybox sleep 60; exec ${httpd} -f`, { health: health({}) }),
      'group.unhealthy',
      /^1 of 1 instances of web unhealthy after [\d.]+ s: connection refused$/,
      ['warming up'],
    ],
    [
      'a health check that flaps',
      shellService(
        `${httpd}; /bin/busybox touch /tmp/ok; /bin/busybox sleep 1; echo losing it; /bin/busybox rm /tmp/ok; /bin/busybox sleep 60`,
        {
          writable: ['/tmp'],
          health: {
            command: ['/bin/busybox', 'test', '-e', '/tmp/ok'],
            interval: '100ms',
            timeout: '5s',
            start: '20s',
            retries: 2,
          },
        },
      ),
      'group.unhealthy',
      /^the instance of web was lost after it was healthy: "\/bin\/busybox test -e \/tmp\/ok" ended with exit code 1$/,
      ['losing it'],
    ],
    [
      'an instance that dies after the switch',
      shellService(`${httpd}; echo serving; /bin/busybox sleep 1; echo out of ideas; exit 4`),
      'group.died',
      /^the instance of web was lost after it was healthy: ended with exit code 4 after [\d.]+ s$/,
      ['serving', 'out of ideas'],
    ],
  ])('names %s, with its last lines', async (_, web, code, message, lastLogLines) => {
    write(web)
    const error = await basalt.fails(['deploy'])
    expect(error).toMatchObject({ code, exitCode: 1, details: { service: 'web', lastLogLines } })
    expect(error.message).toMatch(message)
    expect(error.remedy).not.toBeNull()
    const { attempts } = await basalt.json<HistoryResult>(['history'])
    expect(attempts[0]).toMatchObject({ outcome: 'failed', from: 'tiny@1', error: { code } })
  })

  it('shows the last lines once to a person', async () => {
    write(shellService('echo the reason; exit 3'))
    const { exitCode, stdout, stderr } = await basalt.run(['deploy'])
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/tiny@1 still serves staging/)
    expect(stderr.match(/the reason/g)).toHaveLength(1)
    expect(stderr).toMatch(
      /error: an instance of web ended with exit code 3 after .*\n\n {2}\| the reason\n\n {2}→ /,
    )
  })

  it('gives up at the time limit', async () => {
    write(shellService('/bin/busybox sleep 60', { health: health({ start: '60s' }) }))
    const error = await basalt.fails(['deploy', '--timeout', '1s'])
    expect(error).toMatchObject({ code: 'deployment.failed', exitCode: 1 })
    expect(error.message).toMatch(/^not finished after 1 s, in phase starting: web: .*(?:refused|answer)/)
    expect(error.remedy).toContain('--timeout')
  })

  describe('a port of another program', () => {
    let other: ChildProcess
    let taken: number

    beforeAll(async () => {
      taken = await freePort()
      other = spawn('/bin/busybox', ['httpd', '-f', '-p', `0.0.0.0:${taken}`], { stdio: 'ignore' })
      await once(other, 'spawn')
      // By a connection: to bind it on trial would now and then keep it from the other program.
      while (!(await answers(taken))) {
        if (other.exitCode !== null) throw new Error(`busybox ended with ${other.exitCode}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })

    afterAll(async () => {
      other.kill('SIGKILL')
      await once(other, 'exit')
    })

    it.each([
      ['of the environment that serves', 'staging'],
      ['of an environment beside it', 'production'],
    ])('is named with the program, as the port %s', async (_, environment) => {
      write(tinyService(), { [environment]: { ingress: taken, watch: '100ms', warm: '0s' } })
      const { exitCode, stdout } = await basalt.run(['deploy', '--env', environment, '-o', 'json'])
      expect(exitCode).toBe(3)
      const { error, groups } = JSON.parse(stdout) as DeploymentResult
      expect(error).toMatchObject({
        code: 'port.taken',
        message: `port ${taken} is in use by busybox (pid ${other.pid})`,
        remedy: expect.stringContaining('basalt.yaml'),
      })
      // Seen before anything was started.
      expect(groups.started).toEqual([])
    })
  })

  it('refuses the port of another environment', async () => {
    write(tinyService(), { production: { ingress: port } })
    const error = await basalt.fails(['deploy', '--env', 'production'])
    expect(error).toMatchObject({ code: 'route.conflict', exitCode: 1 })
    expect(error.message).toContain(`tiny/production cannot answer at port ${port}`)
    expect(error.message).toContain('tiny/staging already does')
    expect(error.remedy).toContain('basalt.yaml')
  })

  describe('while another one runs', () => {
    /** Not healthy before it is aborted. */
    async function begin(): Promise<string> {
      write(shellService('/bin/busybox sleep 600', { health: health({ start: '10m' }) }))
      const { deployment } = await basalt.json<DeploymentStarted>(['deploy', '--no-wait'])
      return deployment ?? ''
    }

    it('is refused, naming it; with --wait it comes after', async () => {
      const first = await begin()
      const refusal = await basalt.fails(['deploy', 'tiny@1', '--env', 'staging'])
      expect(refusal).toMatchObject({ code: 'deployment.in-progress', exitCode: 1 })
      expect(refusal.message).toContain(`deploy ${first} of tiny/staging, begun by root, is still running`)
      for (const way of ['--wait', `basalt follow ${first}`, `basalt abort ${first}`])
        expect(refusal.remedy).toContain(way)

      const second = basalt.json<DeploymentResult>([
        'deploy',
        'tiny@1',
        '--env',
        'staging',
        '--wait',
        '--all',
      ])
      let waits = true
      second.finally(() => (waits = false)).catch(() => {})
      await basalt.json(['status'])
      expect(waits).toBe(true)
      await basalt.json(['abort', first])
      expect(await basalt.fails(['follow', first])).toMatchObject({ code: 'deployment.aborted', exitCode: 1 })
      expect(await second).toMatchObject({ outcome: 'succeeded' })
      const { attempts } = await basalt.json<HistoryResult>(['history'])
      expect(
        attempts
          .slice(0, 3)
          .map(({ outcome }) => outcome)
          .toSorted(),
      ).toEqual(['aborted', 'refused', 'succeeded'])
      before = await footprintAtRest()
    })

    it('Ctrl-C detaches from it and says how to follow and how to abort it', async () => {
      write(shellService('/bin/busybox sleep 600', { health: health({ start: '10m' }) }))
      let interrupted = false
      const { exitCode, stderr } = await basalt.run(['deploy'], {
        onOutput: (text, child) => {
          if (interrupted || !text.includes('starting web')) return
          interrupted = child.kill('SIGINT')
        },
      })
      const deployment = /detached from deployment (d-\S+), which goes on/.exec(stderr)?.[1] ?? ''
      expect(exitCode).toBe(130)
      expect(stderr).toContain(`→ Follow it: basalt follow ${deployment}`)
      expect(stderr).toContain(`→ Abort it: basalt abort ${deployment}`)
      const { environments } = await basalt.json<StatusResult>(['status'])
      expect(environments[0]).toMatchObject({ state: 'deploying', deployment })
      const aborted = await basalt.json<{ deployment: string }>(['abort', deployment])
      expect(aborted.deployment).toBe(deployment)
      expect(await basalt.fails(['follow', deployment])).toMatchObject({ code: 'deployment.aborted' })
    })
  })

  it.each<[string, readonly string[], string, RegExp, RegExp]>([
    ['environment', ['deploy', '--env', 'stagin'], 'environment.unknown', /stagin/, /staging/],
    ['environment to look at', ['status', '--env', 'nowhere'], 'environment.unknown', /nowhere/, /staging/],
    ['release', ['deploy', 'tiny@99', '--env', 'staging'], 'release.unknown', /tiny@99/, /basalt releases/],
    [
      'release to roll back to',
      ['rollback', 'tiny@99', '--yes'],
      'release.unknown',
      /tiny@99/,
      /basalt releases/,
    ],
    ['service', ['logs', 'wob'], 'service.unknown', /tiny\/staging runs no service wob/, /web/],
    ['deployment', ['abort', 'd-nothing'], 'deployment.unknown', /d-nothing/, /basalt history/],
  ])('an unknown %s is named, and what there is', async (_, args, code, message, remedy) => {
    write(tinyService())
    const error = await basalt.fails(args)
    expect(error).toMatchObject({ code, exitCode: 1 })
    expect(error.message).toMatch(message)
    expect(error.remedy).toMatch(remedy)
  })
})

function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}
