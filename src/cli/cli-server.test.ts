import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolveHome } from '../server/home.ts'
import { apiHeader, type Health } from '../server/protocol.ts'
import { answers } from '../server/socket.ts'
import { launchServer } from './client/launch-server.ts'
import { Place } from './fixtures/basalt-process.ts'

const nobody = 65534
const fakeServer = join(import.meta.dirname, '../server/fixtures/fake-server.ts')

let place: Place

beforeEach(() => {
  place = new Place()
})

afterEach(() => place.remove())

const json = (text: string) => JSON.parse(text)
const socket = () => join(place.home, 'basalt.sock')

/** Something on the socket that answers every request in the same way. */
async function impostor(status: number, headers: Record<string, string>, body: string): Promise<() => void> {
  const server = createServer((_request, response) => response.writeHead(status, headers).end(body))
  await new Promise<void>((resolve) => server.listen(socket(), resolve))
  return () => server.close()
}

describe('without a server', () => {
  it('somebody who is not root learns how to start one', async () => {
    chmodSync(place.home, 0o755)
    const { exitCode, stdout, stderr } = await place.run(['status', '-o', 'json'], { userId: nobody })
    expect(exitCode).toBe(1)
    expect(json(stdout)).toMatchObject({ schema: 'basalt.error/v1', code: 'host.not-root' })
    expect(stderr).toContain(`sudo BASALT_HOME=${place.home} basalt server start`)
    expect(stderr).toContain('usermod')
  })

  it('server status says so, with exit code 3, and starts none', async () => {
    const { exitCode, stdout } = await place.run(['server', 'status', '-o', 'json'])
    expect(exitCode).toBe(3)
    expect(json(stdout)).toMatchObject({ schema: 'basalt.server/v1', running: false, server: null })
    expect(existsSync(socket())).toBe(false)
  })

  it('server stop has nothing to do', async () => {
    const { exitCode, stdout } = await place.run(['server', 'stop'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain('no server runs')
  })

  it('completion offers what the folder knows, and stays silent', async () => {
    const { stdout, stderr } = await place.run(['complete', '--line', 'basalt deploy -e '])
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual(['staging', 'production', ''])
    expect(stderr).toBe('')
    const full = await place.run(['complete', '--line', 'basalt deploy -e shop/'])
    expect(full.stdout).toBe('shop/staging\t\nshop/production\t\n')
    expect(existsSync(socket())).toBe(false)
  })

  it('a state folder with too long a name is refused with the fact and the remedy', async () => {
    const environment = { BASALT_HOME: join(place.folder, 'x'.repeat(120)) }
    const { exitCode, stderr } = await place.run(['status'], { environment })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the kernel allows 107')
    expect(stderr).toContain('Set BASALT_HOME to a shorter path.')
  })
})

describe('launchServer', () => {
  const home = () => resolveHome({ BASALT_HOME: place.home })
  const stop = () => place.run(['server', 'stop'])

  it('starts one that outlives the command, and resolves when it answers', async () => {
    await launchServer(home(), fakeServer)
    expect((await place.run(['status'])).exitCode).toBe(0)
    const status = json((await place.run(['server', 'status', '-o', 'json'])).stdout)
    expect(status).toMatchObject({ running: true, server: { home: place.home } })
    const stopped = await stop()
    expect(stopped.stdout).toMatch(/^the server \(pid \d+\) has ended; instances and traffic go on\n$/)
    expect(await answers(socket())).toBe(false)
    expect(existsSync(`/proc/${status.server.pid}/status`)).toBe(false)
  })

  it('takes over from a server that was killed and left its socket', async () => {
    const first = await place.startServer()
    const ended = new Promise((resolve) => first.on('exit', resolve))
    first.kill('SIGKILL')
    await ended
    expect(existsSync(socket())).toBe(true)
    await launchServer(home(), fakeServer)
    expect((await place.run(['status'])).exitCode).toBe(0)
    await stop()
  })

  it('may be called twice at the same time: both find the one that won', async () => {
    await Promise.all([launchServer(home(), fakeServer), launchServer(home(), fakeServer)])
    expect(await answers(socket())).toBe(true)
    await stop()
  })

  it('shows the last lines of a server that dies', async () => {
    const dying = join(place.folder, 'dying.mjs')
    writeFileSync(
      dying,
      "console.error('first line'); console.error('the router did not come up'); process.exit(3)",
    )
    await expect(launchServer(home(), dying)).rejects.toMatchObject({
      code: 'server.start-failed',
      message: 'the server did not start: it ended with exit code 3',
      details: { lastLogLines: ['first line', 'the router did not come up'] },
    })
  })

  it('passes on why a server refused to start', async () => {
    rmSync(socket(), { force: true })
    writeFileSync(socket(), 'not a socket')
    await expect(launchServer(home(), fakeServer)).rejects.toMatchObject({
      code: 'server.start-failed',
      message: expect.stringContaining('is not a socket'),
      remedy: expect.stringContaining('Move it away'),
      details: { reason: 'host.home-invalid' },
    })
  })
})

describe('with a server', () => {
  it('somebody who is not in its group is told how to join', async () => {
    await place.startServer()
    const { exitCode, stdout, stderr } = await place.run(['status', '-o', 'json'], { userId: nobody })
    expect(exitCode).toBe(1)
    expect(json(stdout)).toMatchObject({ code: 'server.forbidden' })
    expect(stderr).toContain('usermod --append --groups basalt')
  })

  it('of an older API, the remedy is a restart', async () => {
    const error = {
      schema: 'basalt.error/v1',
      code: 'server.version-mismatch',
      message: 'the CLI is version 2.0.0 (API 2), the running server is version 1.0.0 (API 1 to 1)',
      remedy: 'Restart the server: basalt server restart (instances go on serving).',
      details: {},
    }
    const close = await impostor(409, { 'content-type': 'application/json' }, JSON.stringify(error))
    const { exitCode, stderr } = await place.run(['status'])
    close()
    expect(exitCode).toBe(1)
    expect(stderr).toContain('basalt server restart')
  })

  it('every request says which CLI asks', async () => {
    const seen: (string | undefined)[] = []
    const health: Partial<Health> = { schema: 'basalt.health/v1' }
    const server = createServer((request, response) => {
      seen.push(request.headers[apiHeader]?.toString())
      response.end(JSON.stringify(health))
    })
    await new Promise<void>((resolve) => server.listen(socket(), resolve))
    await place.run(['status', '-o', 'json'])
    server.close()
    expect(seen.length).toBeGreaterThan(1)
    expect(new Set(seen)).toEqual(new Set(['1']))
  })

  it('that is none of ours, the fact is told', async () => {
    const close = await impostor(502, { 'content-type': 'text/html' }, '<h1>Bad gateway</h1>')
    const { exitCode, stderr } = await place.run(['status'])
    close()
    expect(exitCode).toBe(3)
    expect(stderr).toContain('not a Basalt server')
  })

  it('that is killed while a deployment is followed, says that the next one goes on with it', async () => {
    const server = await place.startServer()
    const { exitCode, stderr } = await place.run(['deploy', '-e', 'slow'], {
      onOutput: (text) => {
        if (text.includes('starting 2 instances')) server.kill('SIGKILL')
      },
    })
    expect(exitCode).toBe(3)
    expect(stderr).toContain('it is finished or reverted by the next one')
    expect(stderr).toContain('basalt follow d-slow000000000000')
  })

  it('that stops in good order, followers are told the same', async () => {
    const server = await place.startServer()
    const { exitCode, stderr } = await place.run(['deploy', '-e', 'slow'], {
      onOutput: (text) => {
        if (text.includes('starting 2 instances')) server.kill('SIGTERM')
      },
    })
    expect(exitCode).toBe(3)
    expect(stderr).toContain('basalt follow d-slow000000000000')
  })
})

describe('the launcher', () => {
  const fakeNode = (version: string) => {
    const folder = join(place.folder, `node-${version}`)
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'node'),
      `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo "old $*"\n`,
    )
    chmodSync(join(folder, 'node'), 0o755)
    return folder
  }
  const withPath = (path: string) => ({ environment: { PATH: `${path}:/usr/bin:/bin` } })

  it.each(['v22.19.0', 'v22.20.1', 'v24.0.0', 'v100.1.0'])('runs on the system Node %s', async (version) => {
    const { stdout } = await place.run(['version'], withPath(fakeNode(version)))
    expect(stdout).toMatch(/^old .*src\/cli\/main\.ts version\n$/)
  })

  it.each(['v20.20.2', 'v22.18.9', 'v8.0.0', 'nonsense'])(
    'runs on its own Node where the system has %s',
    async (version) => {
      const { stdout } = await place.run(['version'], withPath(fakeNode(version)))
      expect(stdout).toMatch(/^basalt \d+\.\d+\.\d+ \(Node 24\./)
    },
  )

  it('says what to do where there is no Node that fits', async () => {
    rmSync(join(place.folder, 'package/node_modules'))
    const { exitCode, stderr } = await place.run(['version'], withPath(fakeNode('v20.0.0')))
    expect(exitCode).toBe(3)
    expect(stderr).toContain('Basalt needs Node 22.19 or newer; this system has v20.0.0')
    expect(stderr).toContain('npm install')
  })

  it('finds a Node that npm put beside the package', async () => {
    rmSync(join(place.folder, 'package/node_modules'))
    mkdirSync(join(place.folder, 'node/bin'), { recursive: true })
    writeFileSync(join(place.folder, 'node/bin/node'), '#!/bin/sh\necho "beside $*"\n')
    chmodSync(join(place.folder, 'node/bin/node'), 0o755)
    mkdirSync(join(place.folder, 'package/dist'))
    writeFileSync(join(place.folder, 'package/dist/cli.js'), '')
    const { stdout } = await place.run(['version'], withPath(fakeNode('v20.0.0')))
    expect(stdout).toMatch(/^beside .*dist\/cli\.js version\n$/)
  })

  it('says how to build where nothing is built', async () => {
    rmSync(join(place.folder, 'package/src'))
    const { exitCode, stderr } = await place.run(['version'])
    expect(exitCode).toBe(3)
    expect(stderr).toContain('npm run build')
  })
})
