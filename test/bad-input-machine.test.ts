import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeploymentResult, StatusResult } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome, type RunOptions } from './basalt-home.fixture.ts'
import { installBasalt } from './installed-basalt.fixture.ts'
import { machineTraces, noTraces, tracesBesidePool } from './machine-traces.fixture.ts'
import { machineWithout, mountSmallDisk, unmountSmallDisk } from './machine-without.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/** Debian's. */
const nobody = 65_534

interface ServerStatus {
  readonly running: boolean
  readonly server: { readonly pid: number; readonly version: string } | null
}

let basalt: BasaltHome
let port: number

beforeEach(async () => {
  basalt = openBasaltHome()
  port = await freePort()
  fillProject()
})

afterEach(() => basalt.close())

function fillProject(): void {
  writeTinyFiles(basalt.project)
  writeTinySystem(basalt.project, {
    services: { web: tinyService({ stop: { grace: '200ms' } }) },
    environments: { staging: { ingress: port, watch: '100ms', warm: '0s' } },
  })
}

async function expectServing(text: string): Promise<void> {
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(text)
  const { environments } = await basalt.json<StatusResult>(['status'])
  expect(environments).toMatchObject([{ name: 'tiny/staging', state: 'serving', drift: [] }])
}

describe('a machine that lacks a program', () => {
  async function withoutPrograms(programs: readonly string[], test: (options: RunOptions) => Promise<void>) {
    const machine = machineWithout(programs)
    try {
      await test({ prefix: machine.prefix })
    } finally {
      await basalt.json(['server', 'stop'])
      machine.remove()
    }
  }

  it.each([
    ['HAProxy', ['haproxy'], 'the program haproxy is not installed', 'apt-get install haproxy'],
    [
      'an OCI runtime',
      ['crun', 'runc'],
      'no OCI runtime is installed: neither crun nor runc',
      'apt-get install crun',
    ],
  ])('deploys nothing without %s, and says how to get it', async (_, programs, message, remedy) => {
    await withoutPrograms(programs, async (options) => {
      const error = await basalt.fails(['deploy'], options)
      expect(error).toMatchObject({ code: 'host.tool-missing', exitCode: 3, message })
      expect(error.remedy).toContain(remedy)
      // What needs no instances still works: the build is not lost.
      const { environments } = await basalt.json<StatusResult>(['status'])
      expect(environments).toEqual([])
      expect(await basalt.json(['releases'])).toMatchObject({ releases: [{ release: { name: 'tiny@1' } }] })
      const { processes, mounts } = await tracesBesidePool(basalt.home)
      expect({ processes: processes.filter((line) => !line.includes('server.js')), mounts }).toEqual({
        processes: [],
        mounts: [],
      })
      const doctor = await basalt.run(['doctor'], options)
      expect(doctor.stdout).toContain(`apt-get install`)
      expect(doctor.exitCode).toBe(3)
    })
    // Once it is there, the same command succeeds.
    await basalt.json(['deploy'])
    await expectServing('one\n')
  })

  it('is left by `basalt remove` without what was made for instances that never came', async () => {
    await withoutPrograms(['haproxy'], async (options) => {
      await basalt.fails(['deploy'], options)
      await expect
        .poll(async () => (await machineTraces(basalt.home)).namespaces, { timeout: 20_000 })
        .not.toEqual([])
    })
    await basalt.json(['remove', '--data', '--yes'])
    expect(await machineTraces(basalt.home)).toEqual(noTraces)
  })
})

describe('a disk that is full', () => {
  let disk: string
  let place: string

  beforeEach(async () => {
    await basalt.close()
    place = mkdtempSync(join(tmpdir(), 'basalt-disk-'))
    disk = join(place, 'disk')
    mountSmallDisk(disk, 40 * 1024 * 1024)
    basalt = openBasaltHome({ home: join(disk, 'home') })
    fillProject()
    await basalt.json(['deploy'])
  })

  afterEach(async () => {
    rmSync(join(disk, 'filler'), { force: true })
    try {
      await basalt.close()
    } finally {
      unmountSmallDisk(disk)
      rmSync(place, { recursive: true, force: true })
      basalt = openBasaltHome()
    }
  })

  function fill(leaveBytes: number): void {
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
  }

  it('stops a build, keeps nothing of it, and what serves goes on', async () => {
    const before = await tracesBesidePool(basalt.home)
    writePage(basalt.project, 'index.html', 'two\n')
    writeFileSync(join(basalt.project, 'www/large'), randomBytes(40 * 1024 * 1024))
    const error = await basalt.fails(['deploy'])
    expect(error).toMatchObject({ code: 'host.disk-full', exitCode: 3 })
    expect(error.message).toContain(`no space is left to write ${basalt.home}/`)
    expect(error.remedy).toContain('BASALT_HOME')
    await expectServing('one\n')
    await expect.poll(() => tracesBesidePool(basalt.home)).toEqual(before)
    // What the failed build had written is gone: a small one fits again.
    rmSync(join(basalt.project, 'www/large'))
    await basalt.json(['deploy'])
    await expectServing('two\n')
  })

  it('stops a deployment, which is recorded, and the next one succeeds', async () => {
    writePage(basalt.project, 'index.html', 'two\n')
    await basalt.json(['build'])
    fill(0)
    const error = await basalt.fails(['deploy', 'tiny@2', '--env', 'staging'])
    expect(error).toMatchObject({ code: 'host.disk-full', exitCode: 3 })
    expect(error.message).toContain(basalt.home)
    await expectServing('one\n')
    expect(await basalt.json(['history'])).toMatchObject({
      attempts: [{ outcome: 'failed' }, { outcome: 'succeeded' }],
    })
    rmSync(join(disk, 'filler'))
    expect(await basalt.json<DeploymentResult>(['deploy', 'tiny@2', '--env', 'staging'])).toMatchObject({
      outcome: 'succeeded',
    })
    await expectServing('two\n')
  })
})

describe('who may', () => {
  it('without root and without a server, says how to start one', async () => {
    for (const args of [['status'], ['deploy'], ['server', 'start'], ['server', 'run']]) {
      const error = await basalt.fails(args, { userId: nobody })
      expect(error, args.join(' ')).toMatchObject({ code: 'host.not-root', exitCode: 1 })
      expect(error.remedy).toMatch(/sudo BASALT_HOME=\S+ basalt server (?:start|run)/)
    }
    expect(existsSync(basalt.home)).toBe(false)
  })

  it('without being in the group, says how to join it', async () => {
    await basalt.json(['server', 'start'])
    for (const args of [['status'], ['deploy'], ['server', 'stop']]) {
      const error = await basalt.fails(args, { userId: nobody })
      expect(error, args.join(' ')).toMatchObject({ code: 'server.forbidden', exitCode: 1 })
      expect(error.message).toContain(`${basalt.home}/basalt.sock`)
      expect(error.remedy).toContain('usermod --append --groups')
    }
    expect((await basalt.json<ServerStatus>(['server', 'status'])).running).toBe(true)
  })
})

describe('removing', () => {
  it('takes away what an earlier server has left running, also where nothing ever served', async () => {
    const holder = createServer().listen(port, '127.0.0.1')
    try {
      expect(await basalt.fails(['deploy'])).toMatchObject({ code: 'port.taken' })
      await basalt.json(['server', 'stop'])
      const { processes } = await machineTraces(basalt.home)
      expect(processes.join()).toContain('haproxy')
    } finally {
      holder.close()
    }
    const { exitCode, stderr } = await basalt.run(['remove', '--data', '--yes'])
    expect(exitCode, stderr).toBe(0)
    expect(await machineTraces(basalt.home)).toEqual(noTraces)
  })
})

describe('the socket', () => {
  it('of a server that was killed is taken over, and its instances are adopted', async () => {
    await basalt.json(['deploy'])
    const { server } = await basalt.json<ServerStatus>(['server', 'status'])
    const { mounts, processes } = await tracesBesidePool(basalt.home)
    process.kill(server?.pid ?? 0, 'SIGKILL')
    expect((await basalt.run(['server', 'status'])).stdout).toContain('no server runs')
    expect(existsSync(join(basalt.home, 'basalt.sock'))).toBe(true)
    await expectServing('one\n')
    const now = await tracesBesidePool(basalt.home)
    const others = (lines: readonly string[]) => lines.filter((line) => !line.includes('server.js'))
    expect({ mounts: now.mounts, processes: others(now.processes) }).toEqual({
      mounts,
      processes: others(processes),
    })
  })

  it('of another program is left alone', async () => {
    await basalt.json(['server', 'start'])
    await basalt.json(['server', 'stop'])
    const other = createServer((_, response) => response.writeHead(404).end('not here'))
    await new Promise<void>((resolve) => other.listen(join(basalt.home, 'basalt.sock'), resolve))
    try {
      for (const args of [['status'], ['server', 'status'], ['server', 'stop']]) {
        const error = await basalt.fails(args)
        expect(error, args.join(' ')).toMatchObject({ code: 'server.unreachable', exitCode: 3 })
        expect(error.message).toContain('what answers on the socket is not a Basalt server')
        expect(error.remedy).toContain('BASALT_HOME')
      }
      // Nobody tried to start one beside it.
      expect(readFileSync(join(basalt.home, 'server.log'), 'utf8')).not.toContain('already-running')
    } finally {
      other.closeAllConnections()
      await new Promise((resolve) => other.close(resolve))
    }
  })

  it('that is a file is not removed', async () => {
    await basalt.json(['server', 'start'])
    await basalt.json(['server', 'stop'])
    const path = join(basalt.home, 'basalt.sock')
    writeFileSync(path, 'mine')
    const error = await basalt.fails(['deploy'])
    expect(error).toMatchObject({ code: 'server.start-failed', details: { reason: 'host.home-invalid' } })
    expect(error.message).toContain(`${path} is not a socket`)
    expect(readFileSync(path, 'utf8')).toBe('mine')
    rmSync(path)
  })
})

describe('two versions', () => {
  it('that do not understand each other are named, with the way out; what serves goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'basalt-newer-'))
    try {
      const newer = { program: installBasalt(folder, { version: '9.0.0', api: 9 }) }
      await basalt.json(['deploy'])
      const { server } = await basalt.json<ServerStatus>(['server', 'status'])

      const tooNew = await basalt.fails(['status'], newer)
      expect(tooNew).toMatchObject({ code: 'server.version-mismatch', exitCode: 1 })
      expect(tooNew.message).toContain('the CLI is version 9.0.0 (API 9)')
      expect(tooNew.message).toContain(`the running server is version ${server?.version}`)
      expect(tooNew.remedy).toContain('basalt server restart')

      await basalt.json(['server', 'restart'], newer)
      await expect(basalt.json(['status'], newer)).resolves.toMatchObject({
        environments: [{ state: 'serving', drift: [] }],
      })

      const tooOld = await basalt.fails(['deploy', '--yes'])
      expect(tooOld).toMatchObject({ code: 'server.version-mismatch', exitCode: 1 })
      expect(tooOld.message).toContain('the running server is version 9.0.0 (API 9')
      expect(tooOld.remedy).toContain('Use the CLI of version 9.0.0')
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('one\n')
      await basalt.json(['server', 'restart'])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
