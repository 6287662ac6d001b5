import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exitCodes } from '../errors.ts'
import { resolveHome } from './home.ts'
import { answers, removeStaleSocket, socketGroupId } from './socket.ts'

let folder: string
const children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-run-'))
})

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly exitCode: number | null; readonly stderr: string }>
}

function start(environment: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/fake-server.ts')], {
    env: { ...process.env, BASALT_HOME: folder, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  children.push(child)
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = new Promise<{ exitCode: number | null; stderr: string }>((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, stderr }))
  })
  return { child, ended }
}

const socketPath = () => join(folder, 'basalt.sock')
const listening = () => expect.poll(() => answers(socketPath()), { timeout: 10_000 }).toBe(true)

/** What the last line of a server that did not start says. */
const failure = (stderr: string) => JSON.parse(stderr.trim().split('\n').at(-1) ?? '')

describe('a server process', () => {
  it('opens its socket to root and the group only, and takes it away when it ends', async () => {
    const { child, ended } = start()
    await listening()
    expect(statSync(socketPath()).mode & 0o777).toBe(0o660)
    expect(existsSync(join(folder, '.new'))).toBe(false)
    child.kill('SIGTERM')
    expect((await ended).exitCode).toBe(0)
    expect(existsSync(socketPath())).toBe(false)
    expect(readFileSync(join(folder, 'calls.json'), 'utf8')).toBe('[]')
  })

  it('gives the socket to the group that BASALT_GROUP names', async () => {
    start({ BASALT_GROUP: 'nogroup' })
    await listening()
    const groupId = socketGroupId('nogroup')
    expect(statSync(socketPath()).gid).toBe(groupId)
    expect(statSync(folder).gid).toBe(groupId)
    expect(statSync(folder).mode & 0o777).toBe(0o710)
  })

  it('takes over from a server that was killed', async () => {
    const { child, ended } = start()
    await listening()
    child.kill('SIGKILL')
    await ended
    expect(existsSync(socketPath())).toBe(true)
    start()
    await listening()
  })

  it.each(['exception', 'rejection'])('tells its log of an uncaught %s, and ends', async (way) => {
    const { exitCode, stderr } = await start({ FAKE_UNCAUGHT: way }).ended
    expect(exitCode).toBe(exitCodes.bug)
    expect(failure(stderr)).toMatchObject({
      schema: 'basalt.error/v1',
      code: 'internal.bug',
      message: expect.stringContaining('the parser was paused'),
      stack: expect.stringContaining('fake-server.ts'),
    })
    start()
    await listening()
  })

  it('refuses to be the second one of its home, naming the first', async () => {
    const first = start()
    await listening()
    const second = start()
    const { exitCode, stderr } = await second.ended
    expect(exitCode).toBe(1)
    expect(failure(stderr)).toMatchObject({ code: 'server.already-running' })
    expect(failure(stderr).message).toContain(`pid ${first.child.pid}`)
    expect(await answers(socketPath())).toBe(true)
  })

  it('lets exactly one of two that start at the same time win', async () => {
    const racers = [start(), start()]
    const { exitCode, stderr } = await Promise.race(racers.map((racer) => racer.ended))
    expect(exitCode).toBe(1)
    expect(failure(stderr).code).toBe('server.already-running')
    await listening()
  })

  it('says which group does not exist', async () => {
    const { stderr } = await start({ BASALT_GROUP: 'no-such-group' }).ended
    expect(failure(stderr)).toMatchObject({ code: 'host.home-invalid' })
    expect(failure(stderr).message).toContain('no-such-group')
  })
})

describe('resolveHome', () => {
  it('accepts the longest socket path that the kernel does, and not one byte more', () => {
    const fits = `/${'h'.repeat(107 - '/basalt.sock'.length - 1)}`
    expect(Buffer.byteLength(resolveHome({ BASALT_HOME: fits }).socketPath)).toBe(107)
    expect(() => resolveHome({ BASALT_HOME: `${fits}h` })).toThrow(
      expect.objectContaining({ code: 'host.home-invalid' }),
    )
  })

  it('is /var/lib/basalt when nothing else is said', () => {
    expect(resolveHome({}).folder).toBe('/var/lib/basalt')
  })
})

describe('removeStaleSocket', () => {
  it('never removes what is not a socket', async () => {
    writeFileSync(socketPath(), 'precious')
    await expect(removeStaleSocket(resolveHome({ BASALT_HOME: folder }))).rejects.toMatchObject({
      code: 'host.home-invalid',
    })
    expect(readFileSync(socketPath(), 'utf8')).toBe('precious')
  })
})

describe('socketGroupId', () => {
  const groups = 'root:x:0:\nbasalt:x:990:alice\nops:x:991:\n'

  it('is the group basalt where there is one, the named one otherwise', () => {
    expect(socketGroupId(undefined, groups)).toBe(990)
    expect(socketGroupId('ops', groups)).toBe(991)
    expect(socketGroupId(undefined, 'root:x:0:\n')).toBeNull()
  })
})
