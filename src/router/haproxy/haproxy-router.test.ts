import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent, createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EnvironmentId } from '../../core/ids.ts'
import { exec } from '../../util/exec.ts'
import { identifyProcess } from '../../util/process-identity.ts'
import type { HaproxyRouter } from './haproxy-router.ts'
import { createHaproxyRouter } from './haproxy-router.ts'
import { isFree } from './held-port.ts'
import { ask, startLoad } from './testing/http-client.ts'
import { startInstance, type TestInstance } from './testing/start-instance.ts'
import {
  createTestHome,
  environment,
  freePort,
  group,
  httpPort,
  instanceOf,
  op,
  route,
  type TestHome,
  table,
  tcpPort,
} from './testing/test-router.ts'

const missingTool = await (async () => {
  if (process.getuid?.() !== 0) return 'these tests need root, for bridges and nftables'
  for (const tool of ['haproxy', 'nft', 'ip'])
    if ((await exec('sh', ['-c', `command -v ${tool}`])).exitCode !== 0) return `${tool} is not installed`
  return null
})()

// Other programs may hold the usual ones, on all addresses.
const [webPort, apiPort, cachePort] = [await freePort(), await freePort(), await freePort()]

describe('a router of HAProxy', () => {
  let home: TestHome
  let router: HaproxyRouter
  let entryPort: number
  const closers: (() => Promise<unknown>)[] = []

  beforeEach(async (context) => {
    if (missingTool !== null) return context.skip(missingTool)
    home = await createTestHome()
    router = home.router()
    entryPort = await freePort()
  })
  afterEach(async () => {
    if (missingTool !== null) return
    for (const close of closers.splice(0)) await close()
    await home.remove()
  })

  /** A service inside this process: enough where nothing is killed. */
  async function serve(address: string, port: number, text: string): Promise<void> {
    const server = createHttpServer((request, response) => {
      if (request.url === '/fail') response.writeHead(500)
      response.end(text)
    })
    await listening(server, port, address)
    closers.push(
      () =>
        new Promise((resolve) => {
          server.close(resolve)
          server.closeAllConnections()
        }),
    )
  }

  /** A service whose sessions only its clients end, like a database. */
  async function serveSessions(address: string, port: number): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write('welcome')
    })
    await listening(server, port, address)
    closers.push(() => new Promise((resolve) => server.close(resolve)))
  }

  async function instance(...args: Parameters<typeof startInstance>): Promise<TestInstance> {
    const started = await startInstance(...args)
    closers.push(() => started.end('SIGKILL'))
    return started
  }

  const url = (path = '/') => `http://127.0.0.1:${entryPort}${path}`
  const haproxyPid = async (): Promise<number> =>
    (JSON.parse(await readFile(join(home.folder, 'haproxy.json'), 'utf8')) as { identity: { pid: number } })
      .identity.pid

  it('loses no request and mixes no releases in 100 switches, the old one ended or killed', async () => {
    await router.open([{ port: entryPort, protocol: 'http' }], op)
    const start = async (release: number) => {
      const web = group(`web-${release}`, [httpPort(webPort)])
      const address = `127.10.0.${1 + (release % 200)}`
      const started = await instance(address, webPort, String(release))
      await router.join(web, instanceOf(web), address, op)
      return { web, started }
    }
    let old = await start(1)
    await router.switch(table(1, [route(entryPort, old.web, webPort)]), op)
    const load = startLoad([url()], { keepAlive: 6, fresh: 3 })

    for (let release = 2; release <= 101; release++) {
      const next = await start(release)
      await router.switch(table(release, [route(entryPort, next.web, webPort)]), op)
      load.expect(release)
      await router.leave(old.web.id, instanceOf(old.web), 5000, op)
      await old.started.end(release % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
      await router.forget(old.web.id, op)
      old = next
    }
    const result = await load.stop()
    expect(result.problems).toEqual([])
    expect(result.requests).toBeGreaterThan(1000)
    const { entry } = await router.traffic(environment, op)
    expect(entry).toMatchObject({ requests: result.requests, failed: 0 })
  }, 180_000)

  it('keeps the edges of a generation inside it while the ways in are switched', async () => {
    await router.open([{ port: entryPort, protocol: 'http' }], op)
    const start = async (release: number) => {
      const [web, api] = [
        group(`web-${release}`, [httpPort(webPort)]),
        group(`api-${release}`, [httpPort(apiPort)]),
      ]
      const [webAt, apiAt] = [`127.11.0.${release}`, `127.12.0.${release}`]
      const upstream = `${await router.address(api)}:${apiPort}`
      const started = [
        await instance(apiAt, apiPort, String(release)),
        await instance(webAt, webPort, String(release), upstream),
      ]
      await router.join(api, instanceOf(api), apiAt, op)
      await router.join(web, instanceOf(web), webAt, op)
      return { web, api, started }
    }
    let old = await start(1)
    await router.switch(table(1, [route(entryPort, old.web, webPort)]), op)
    const load = startLoad([url()], { keepAlive: 4, fresh: 2 })
    for (let release = 2; release <= 15; release++) {
      const next = await start(release)
      await router.switch(table(release, [route(entryPort, next.web, webPort)]), op)
      load.expect(release)
      for (const gone of [old.web, old.api]) await router.leave(gone.id, instanceOf(gone), 5000, op)
      for (const started of old.started) await started.end('SIGKILL')
      for (const gone of [old.web, old.api]) await router.forget(gone.id, op)
      old = next
    }
    const result = await load.stop()
    expect(result.problems).toEqual([])
    const { entry, groups } = await router.traffic(environment, op)
    expect(entry.requests).toBe(result.requests)
    expect(groups[old.api.id]?.requests).toBe(groups[old.web.id]?.requests)
    expect(groups[old.api.id]?.p50Ms).toBeGreaterThan(0)
  }, 120_000)

  it('answers a killed replica by the others', async () => {
    const web = group('web-1', [httpPort(webPort)])
    const replicas: TestInstance[] = []
    for (const number of [1, 2, 3]) {
      replicas.push(await instance(`127.13.0.${number}`, webPort, '1'))
      await router.join(web, instanceOf(web, number), `127.13.0.${number}`, op)
    }
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    const load = startLoad([url()], { keepAlive: 6, fresh: 3 })
    await sleep(200)
    await replicas[1]?.end('SIGKILL')
    await sleep(500)
    expect((await load.stop()).problems).toEqual([])
    // HAProxy itself takes it out of rotation, whether or not a server watches.
    await expect
      .poll(async () => (await router.members(op)).get(web.id), { timeout: 15_000 })
      .toEqual([instanceOf(web, 1), instanceOf(web, 3)])
  }, 60_000)

  it('never asks twice where that may do harm', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await instance('127.14.0.1', webPort, '1')
    await router.join(web, instanceOf(web), '127.14.0.1', op)
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    const posted = await ask(url('/drop'), { method: 'POST' })
    expect(posted).toMatchObject({ status: 502 })
    expect(await ask(url('/count'))).toEqual({ status: 200, text: '1' })
    await ask(url('/drop'))
    expect(Number((await ask(url('/count'))).text)).toBeGreaterThan(2)
  })

  it('waits for requests in flight when an instance leaves, no longer than it may', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await instance('127.15.0.1', webPort, '1')
    await router.join(web, instanceOf(web), '127.15.0.1', op)
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    const slow = ask(url('/slow'))
    await sleep(100)
    await router.leave(web.id, instanceOf(web), 5000, op)
    expect(await slow).toEqual({ status: 200, text: '1' })
    expect(await ask(url())).toMatchObject({
      status: 503,
      text: expect.stringContaining('no instance is ready'),
    })

    await router.join(web, instanceOf(web, 1), '127.15.0.1', op)
    const cut = ask(url('/slow'))
    await sleep(100)
    await router.leave(web.id, instanceOf(web, 1), 20, op)
    expect((await cut).status).not.toBe(200)
  })

  it('prefers named hosts and long paths, on whole segments', async () => {
    const ports = [httpPort(webPort)]
    const names = ['root', 'api', 'named', 'deep'] as const
    for (const [index, name] of names.entries()) {
      await serve(`127.16.0.${index + 1}`, webPort, name)
      await router.join(group(name, ports), instanceOf(group(name, ports)), `127.16.0.${index + 1}`, op)
    }
    await router.switch(
      table(1, [
        route(entryPort, group('root', ports), webPort),
        route(entryPort, group('api', ports), webPort, { path: '/api' }),
        route(entryPort, group('named', ports), webPort, { host: 'shop.example' }),
        route(entryPort, group('deep', ports), webPort, { host: 'shop.example', path: '/api/v2' }),
      ]),
      op,
    )
    const cases: readonly (readonly [host: string, path: string, answer: string])[] = [
      ['other', '/', 'root'],
      ['other', '/api', 'api'],
      ['other', '/api?x=/api/v2', 'api'],
      ['other', '/api/v1', 'api'],
      ['other', '/apis', 'root'],
      ['shop.example', '/api', 'named'],
      ['SHOP.example:99', '/api/v2/items', 'deep'],
      ['shop.example', '/api/v20', 'named'],
      ['shop.example.org', '/api/v2', 'api'],
    ]
    for (const [host, path, answer] of cases)
      expect([host, path, (await ask(url(path), { headers: { host } })).text]).toEqual([host, path, answer])
  })

  it('never answers by a wrong route while another switch is being prepared', async () => {
    const ports = [httpPort(webPort)]
    for (const [index, name] of ['root', 'deep'].entries()) {
      await serve(`127.17.0.${index + 1}`, webPort, name)
      await router.join(group(name, ports), instanceOf(group(name, ports)), `127.17.0.${index + 1}`, op)
    }
    const base = [
      route(entryPort, group('root', ports), webPort),
      route(entryPort, group('deep', ports), webPort, { path: '/b' }),
    ]
    await router.switch(table(1, base), op)
    const wrong: string[] = []
    let stop = false
    const agent = new Agent({ keepAlive: true })
    const reader = (async () => {
      while (!stop) {
        const { text } = await ask(url('/a/x'), { agent })
        if (text !== 'root') wrong.push(text)
      }
    })()
    for (let generation = 2; generation < 60; generation++) {
      // Longer prefixes of what is asked for, that exist in the version under way only or lead to the same group.
      const entries =
        generation % 2 === 0 ? [route(entryPort, group('root', ports), webPort, { path: '/a' })] : []
      await router.switch(table(generation, [...base, ...entries]), op)
    }
    stop = true
    await reader
    agent.destroy()
    expect(wrong).toEqual([])
  })

  it('says plainly that there is no route', async () => {
    await router.open([{ port: entryPort, protocol: 'http' }], op)
    const headers = { host: 'shop.example' }
    expect(await ask(url('/x'), { headers })).toEqual({
      status: 404,
      text: `404 Not Found\n\nBasalt has no route for shop.example/x on port ${entryPort}\n`,
    })
    const json = await ask(url('/x'), { headers: { host: 'a"b', accept: 'application/json' } })
    expect(JSON.parse(json.text)).toEqual({ error: 'no-route', host: 'a"b', path: '/x' })
    expect(await router.routes(environment, op)).toBeNull()
  })

  it('refuses what another environment holds, and tells which', async () => {
    const other = 'blog/live' as EnvironmentId
    const [web, blog] = [group('web-1', [httpPort(webPort)]), group('blog-1', [httpPort(webPort)], other)]
    await router.address(web)
    await router.address(blog)
    await router.switch(table(1, [route(entryPort, web, webPort, { path: '/shop' })]), op)
    await expect(
      router.switch(table(1, [route(entryPort, blog, webPort, { path: '/shop/' })], other), op),
    ).rejects.toMatchObject({ code: 'route.conflict', message: expect.stringContaining('shop/staging') })
    await expect(router.open([{ port: entryPort, protocol: 'tcp' }], op)).rejects.toMatchObject({
      code: 'route.conflict',
    })
    await router.switch(table(7, [route(entryPort, blog, webPort)], other), op)
    expect(await router.routes(environment, op)).toEqual(
      table(1, [route(entryPort, web, webPort, { path: '/shop' })]),
    )
    expect(await router.routes(other, op)).toEqual(table(7, [route(entryPort, blog, webPort)], other))
    await router.switch({ environment, generation: null, entries: [] }, op)
    expect(await router.routes(environment, op)).toBeNull()
    expect(await router.routes(other, op)).not.toBeNull()
  })

  it('names the program that holds a port', async () => {
    const server = createServer()
    await listening(server, entryPort, '127.0.0.1')
    closers.push(() => new Promise((resolve) => server.close(resolve)))
    await expect(router.open([{ port: entryPort, protocol: 'http' }], op)).rejects.toMatchObject({
      code: 'port.taken',
      details: { port: entryPort, pid: process.pid },
    })
    // Later too, when it would have to be added to a running HAProxy; and nothing of the attempt stays.
    const web = group('web-1', [httpPort(webPort)])
    await router.join(web, instanceOf(web), '127.18.0.1', op)
    await expect(router.open([{ port: entryPort, protocol: 'http' }], op)).rejects.toMatchObject({
      code: 'port.taken',
    })
    await expect(router.switch(table(1, [route(entryPort, web, webPort)]), op)).rejects.toMatchObject({
      code: 'port.taken',
    })
    expect(await router.routes(environment, op)).toBeNull()
  })

  it('adds a port to what is being served, and binds it itself the next time it starts', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await serve('127.19.0.1', webPort, 'web')
    await router.join(web, instanceOf(web), '127.19.0.1', op)
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    const late = await freePort()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect((await ask(url(), { agent })).text).toBe('web')
    const pid = await haproxyPid()
    await router.switch(table(2, [route(late, web, webPort), route(entryPort, web, webPort)]), op)

    const place = await home.network.place(2)
    const lateUrls = [`http://127.0.0.1:${late}/`, `http://${home.network.router.gateway}:${late}/`]
    for (const lateUrl of lateUrls) expect(await ask(lateUrl)).toEqual({ status: 200, text: 'web' })
    expect(await fetchWithin(place.within, lateUrls[1] ?? '')).toBe('web')
    expect(await ask(url(), { agent })).toEqual({ status: 200, text: 'web' })
    expect(await haproxyPid()).toBe(pid)
    await expect(listening(createServer(), late, '0.0.0.0')).rejects.toMatchObject({ code: 'EADDRINUSE' })
    agent.destroy()

    process.kill(pid, 'SIGKILL')
    await expect.poll(async () => (await ask(lateUrls[0] ?? '')).text).toBe('web')
    await expect.poll(() => boundPorts(home.folder)).toContain(late)
    // The redirections of before refuse it until they are replaced.
    await expect.poll(() => ask(`http://[::1]:${late}/`)).toEqual({ status: 200, text: 'web' })
  })

  it('is adopted by the next server, with connections and figures', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await serve('127.20.0.1', webPort, 'web')
    await router.join(web, instanceOf(web), '127.20.0.1', op)
    await router.switch(table(3, [route(entryPort, web, webPort)]), op)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await ask(url(), { agent })
    const [pid, address] = [await haproxyPid(), await router.address(web)]
    router.close()
    expect((await ask(url(), { agent })).text).toBe('web')

    const next = home.router()
    await next.open([{ port: entryPort, protocol: 'http' }], op)
    expect(await haproxyPid()).toBe(pid)
    expect(await next.address(web)).toBe(address)
    expect(await next.routes(environment, op)).toEqual(table(3, [route(entryPort, web, webPort)]))
    expect(await next.members(op)).toEqual(new Map([[web.id, [instanceOf(web)]]]))
    expect((await next.traffic(environment, op)).entry.requests).toBe(2)
    expect((await ask(url(), { agent })).text).toBe('web')
    agent.destroy()
  })

  it('makes a HAProxy of before follow its record, but takes the routes that it has', async () => {
    const [web, gone] = [group('web-1', [httpPort(webPort)]), group('gone-1', [httpPort(webPort)])]
    for (const member of [web, gone]) await router.join(member, instanceOf(member), '127.21.0.1', op)
    await router.switch(table(3, [route(entryPort, web, webPort)]), op)
    router.close()
    // As if the server had died between its record and HAProxy.
    const file = join(home.folder, 'router.json')
    const record = JSON.parse(await readFile(file, 'utf8'))
    record.tables[environment].generation = 4
    delete record.groups[gone.id].members[instanceOf(gone)]
    record.groups[web.id].members[instanceOf(web, 1)] = '127.21.0.2'
    await writeFile(file, JSON.stringify(record))

    const next = home.router()
    expect((await next.routes(environment, op))?.generation).toBe(3)
    expect(await next.members(op)).toEqual(new Map([[web.id, [instanceOf(web), instanceOf(web, 1)]]]))
    expect(JSON.parse(await readFile(file, 'utf8')).tables[environment].generation).toBe(3)
  })

  it('is back with all that it had soon after HAProxy was killed', async () => {
    const [web, cache] = [group('web-1', [httpPort(webPort)]), group('cache-1', [tcpPort(cachePort)])]
    await serve('127.22.0.1', webPort, 'web')
    await serve('127.22.0.2', cachePort, 'cache')
    await router.join(web, instanceOf(web), '127.22.0.1', op)
    await router.join(cache, instanceOf(cache), '127.22.0.2', op)
    const tcpEntry = await freePort()
    const routes = table(3, [
      route(entryPort, web, webPort),
      { kind: 'tcp', entryPort: tcpEntry, group: cache.id, port: cachePort },
    ])
    await router.switch(routes, op)
    const address = await router.address(cache)

    const killed = await haproxyPid()
    process.kill(killed, 'SIGKILL')
    await expect.poll(async () => (await ask(url())).text, { timeout: 5000, interval: 20 }).toBe('web')
    expect((await ask(`http://127.0.0.1:${tcpEntry}/`)).text).toBe('cache')
    expect((await ask(`http://${address}:${cachePort}/`)).text).toBe('cache')
    expect(await router.routes(environment, op)).toEqual(routes)
    expect((await router.members(op)).size).toBe(2)
    await expect
      .poll(() => home.reports.map(({ code, details }) => ({ code, details })))
      .toEqual([{ code: 'router.restarted', details: { endedPid: killed, pid: await haproxyPid() } }])
  })

  it('is started again by the next server when HAProxy died without one', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await serve('127.23.0.1', webPort, 'web')
    await router.join(web, instanceOf(web), '127.23.0.1', op)
    await router.switch(table(3, [route(entryPort, web, webPort)]), op)
    router.close()
    await sleep(20)
    const pid = await haproxyPid()
    process.kill(pid, 'SIGKILL')
    await expect.poll(async () => (await ask(url())).status).toBe(0)
    const next = home.router()
    await next.open([], op)
    expect(await haproxyPid()).not.toBe(pid)
    expect((await ask(url())).text).toBe('web')
  })

  it('ends a HAProxy that nobody recorded, because its server was killed as it started', async () => {
    const killed = fileURLToPath(new URL('testing/killed-server.ts', import.meta.url))
    const server = await exec(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      killed,
      home.folder,
      JSON.stringify(home.network.router),
      String(entryPort),
    ])
    expect(server).toMatchObject({ exitCode: 137, stderr: '' })
    const stray = Number(await readFile(join(home.folder, 'haproxy.pid'), 'utf8'))
    expect(await identifyProcess(stray)).not.toBeNull()
    expect(existsSync(join(home.folder, 'haproxy.json'))).toBe(false)

    await router.open([{ port: entryPort, protocol: 'http' }], op)
    expect(await identifyProcess(stray)).toBeNull()
    expect(await boundPorts(home.folder)).toEqual([entryPort])
    expect(home.reports).toEqual([])
    expect((await ask(url())).status).toBe(404)
  })

  it('stands beside the router of another home and leaves its ports alone', async () => {
    const other = await createTestHome()
    closers.push(() => other.remove())
    const second = other.router()
    await router.open([{ port: entryPort, protocol: 'http' }], op)
    await expect(second.open([{ port: entryPort, protocol: 'http' }], op)).rejects.toMatchObject({
      code: 'port.taken',
      message: expect.stringContaining('haproxy'),
    })
    const otherPort = await freePort()
    const [web, alien] = [group('web-1', [httpPort(webPort)]), group('alien-1', [httpPort(webPort)])]
    await serve('127.24.0.1', webPort, 'first')
    await serve('127.24.0.2', webPort, 'second')
    await router.join(web, instanceOf(web), '127.24.0.1', op)
    await second.join(alien, instanceOf(alien), '127.24.0.2', op)
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    await second.switch(table(1, [route(otherPort, alien, webPort)]), op)
    expect((await ask(url())).text).toBe('first')
    expect((await ask(`http://127.0.0.1:${otherPort}/`)).text).toBe('second')
    await second.shutdown()
    expect((await ask(`http://127.0.0.1:${otherPort}/`)).status).toBe(0)
    expect((await ask(url())).text).toBe('first')
  })

  it('carries edges between instances in their own networks, as http and as tcp', async () => {
    const [from, to] = [await home.network.place(2), await home.network.place(3)]
    const web = group('web-1', [httpPort(webPort)])
    const mixed = group('mixed-1', [tcpPort(cachePort), httpPort(webPort)])
    await instance(to.address, webPort, 'web', undefined, to.within)
    await instance(to.address, cachePort, 'cache', undefined, to.within)
    await router.join(web, instanceOf(web), to.address, op)
    await router.join(mixed, instanceOf(mixed), to.address, op)
    const [webAt, mixedAt] = [await router.address(web), await router.address(mixed)]
    expect(await fetchWithin(from.within, `http://${webAt}:${webPort}/`)).toBe('web')
    expect(await fetchWithin(from.within, `http://${mixedAt}:${cachePort}/`)).toBe('cache')
    expect(await fetchWithin(from.within, `http://${mixedAt}:${webPort}/`)).toBe('web')
    // A port of a mixed group can still be a way in by http.
    await router.switch(table(1, [route(entryPort, mixed, webPort)]), op)
    expect((await ask(url())).text).toBe('web')
    expect((await ask(`http://${webAt}:1/`)).status).toBe(503)
  })

  it('redirects again after another program removed the rules, and says so', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await serve('127.28.0.1', webPort, 'web')
    await router.join(web, instanceOf(web), '127.28.0.1', op)
    const edge = `http://${await router.address(web)}:${webPort}/`
    expect((await ask(edge)).text).toBe('web')
    await exec('nft', ['delete', 'table', 'inet', home.network.router.table])
    expect((await ask(edge)).status).toBe(0)
    await expect.poll(async () => (await ask(edge)).text, { timeout: 30_000, interval: 100 }).toBe('web')
    await expect.poll(() => home.reports.map(({ code }) => code)).toEqual(['network.rules-lost'])
  }, 60_000)

  it('lets a successor answer at an address that was handed over', async () => {
    const ports = [tcpPort(cachePort)]
    const [old, successor, third] = [
      group('cache-1', ports),
      group('cache-2', ports),
      group('cache-3', ports),
    ]
    for (const number of [1, 2, 3]) await serve(`127.25.0.${number}`, cachePort, `cache-${number}`)
    await router.join(old, instanceOf(old), '127.25.0.1', op)
    const at = `http://${await router.address(old)}:${cachePort}/`
    expect((await ask(at)).text).toBe('cache-1')

    await router.leave(old.id, instanceOf(old), 100, op)
    await router.handOver(old.id, successor, op)
    await router.join(successor, instanceOf(successor), '127.25.0.2', op)
    expect((await ask(at)).text).toBe('cache-2')
    await router.forget(old.id, op)
    expect((await ask(at)).text).toBe('cache-2')
    expect(`http://${await router.address(old)}:${cachePort}/`).toBe(at)

    await router.leave(successor.id, instanceOf(successor), 100, op)
    await router.handOver(successor.id, third, op)
    await router.join(third, instanceOf(third), '127.25.0.3', op)
    expect((await ask(at)).text).toBe('cache-3')
    await router.join(old, instanceOf(old, 1), '127.25.0.1', op)
    expect((await ask(at)).text).toBe('cache-1')
  })

  it('hands over from a group that it does not know, as after a reboot', async () => {
    const successor = group('cache-2', [tcpPort(cachePort)])
    await serve('127.29.0.1', cachePort, 'cache-2')
    await router.handOver(group('cache-1', []).id, successor, op)
    await router.join(successor, instanceOf(successor), '127.29.0.1', op)
    expect((await ask(`http://${await router.address(successor)}:${cachePort}/`)).text).toBe('cache-2')
  })

  it('cuts kept sessions of a group that was handed over, and lets its requests finish', async () => {
    const [cache, web] = [group('cache-1', [tcpPort(cachePort)]), group('web-1', [httpPort(webPort)])]
    await serveSessions('127.30.0.1', cachePort)
    await instance('127.30.0.2', webPort, 'web')
    await router.join(cache, instanceOf(cache), '127.30.0.1', op)
    await router.join(web, instanceOf(web), '127.30.0.2', op)
    const session = await openSession(await router.address(cache), cachePort)
    const slow = ask(`http://${await router.address(web)}:${webPort}/slow`)
    await sleep(100)
    await router.handOver(cache.id, group('cache-2', cache.ports), op)
    await router.handOver(web.id, group('web-2', web.ports), op)

    const since = performance.now()
    await Promise.all([
      router.leave(cache.id, instanceOf(cache), 60_000, op),
      router.leave(web.id, instanceOf(web), 60_000, op),
    ])
    expect(performance.now() - since).toBeLessThan(30_000)
    expect(await slow).toEqual({ status: 200, text: 'web' })
    await session.ended
  }, 90_000)

  it('waits no longer when the clock is set back', async () => {
    const cache = group('cache-1', [tcpPort(cachePort)])
    await serveSessions('127.31.0.1', cachePort)
    let hour = 1
    const other = home.router(() => Date.now() + hour * 3_600_000)
    await other.join(cache, instanceOf(cache), '127.31.0.1', op)
    const session = await openSession(await other.address(cache), cachePort)
    const left = other.leave(cache.id, instanceOf(cache), 200, op)
    await sleep(50)
    hour = 0
    await left
    await session.ended
    expect(await other.members(op)).toEqual(new Map())
  }, 20_000)

  it('gives the ways in back when nothing is served any more', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await serve('127.29.0.1', webPort, 'web')
    await router.join(web, instanceOf(web), '127.29.0.1', op)
    await router.open([{ port: entryPort, protocol: 'http' }], op)
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    const late = await freePort()
    await router.switch(table(1, [route(entryPort, web, webPort), route(late, web, webPort)]), op)
    await router.switch({ environment, generation: null, entries: [] }, op)
    await router.leave(web.id, instanceOf(web), 0, op)
    expect(await isFree(entryPort, false)).toBe(false)
    await router.forget(web.id, op)
    for (const port of [entryPort, late]) expect(await isFree(port, true)).toBe(true)

    await router.join(web, instanceOf(web), '127.29.0.1', op)
    await router.switch(table(2, [route(entryPort, web, webPort)]), op)
    expect((await ask(url())).text).toBe('web')
  })

  it('counts what failed, whoever was at fault', async () => {
    const web = group('web-1', [httpPort(webPort)])
    await serve('127.26.0.1', webPort, 'web')
    await router.join(web, instanceOf(web), '127.26.0.1', op)
    await router.switch(table(1, [route(entryPort, web, webPort)]), op)
    for (const path of ['/', '/', '/fail']) await ask(url(path))
    await router.leave(web.id, instanceOf(web), 0, op)
    await ask(url())
    const figures = () => router.traffic(environment, op)
    await counted(async () => (await figures()).entry, { requests: 4, failed: 2 })
    await counted(async () => (await figures()).groups[web.id], { requests: 4, failed: 2 })
    expect((await figures()).entry.p50Ms).toBeGreaterThan(0)
  })

  it('gives a slot that was used before to a group without its figures', async () => {
    const ports = [httpPort(webPort)]
    await serve('127.27.0.1', webPort, 'web')
    // More than there are slots.
    for (let number = 1; number <= 65; number++) {
      const web = group(`web-${number}`, ports)
      await router.join(web, instanceOf(web), '127.27.0.1', op)
      await router.switch(table(number, [route(entryPort, web, webPort)]), op)
      await ask(url())
      const figures = async () => (await router.traffic(environment, op)).groups[web.id]
      await counted(figures, { requests: 1, failed: 0 })
      await router.switch(table(number, []), op)
      await router.leave(web.id, instanceOf(web), 0, op)
      await router.forget(web.id, op)
    }
    expect((await router.traffic(environment, op)).entry).toMatchObject({ requests: 65, failed: 0 })
  })

  it('is full when all slots are in use, and says so', async () => {
    const ports = Array.from({ length: 33 }, (_, index) => tcpPort(1000 + index))
    // Asked at the same time, others are none the worse for it.
    const narrow = [group('web-1', [httpPort(webPort)]), group('cache-1', [tcpPort(cachePort)])]
    const [wide, ...addresses] = await Promise.allSettled(
      [group('wide-1', ports), ...narrow].map((each) => router.address(each)),
    )
    expect(wide).toMatchObject({ status: 'rejected', reason: { code: 'router.full' } })
    expect(addresses.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
  })

  it('refuses a folder whose path is too long for a socket', async () => {
    const long = createHaproxyRouter({
      folder: join(home.folder, 'x'.repeat(100)),
      network: home.network.router,
      exec,
      now: Date.now,
    })
    await expect(long.open([], op)).rejects.toMatchObject({ code: 'host.home-invalid' })
  })

  it('says which program is missing, and what HAProxy did not like', async () => {
    const make = (network: typeof home.network.router, run: typeof exec) =>
      createHaproxyRouter({ folder: join(home.folder, 'b'), network, exec: run, now: Date.now })
    const missing: typeof exec = (file, args, options) => exec(`/nowhere/${file}`, args, options)
    await expect(make(home.network.router, missing).open([], op)).rejects.toMatchObject({
      code: 'host.tool-missing',
      remedy: expect.stringContaining('apt-get install haproxy'),
    })
    const elsewhere = { ...home.network.router, gateway: '192.0.2.77' }
    await expect(make(elsewhere, exec).open([], op)).rejects.toMatchObject({
      code: 'router.failed',
      message: expect.stringContaining('192.0.2.77'),
    })
  })
})

/** HAProxy counts a request when it has ended, which may be just after its answer has arrived. */
const counted = (figures: () => Promise<unknown>, expected: object): Promise<void> =>
  expect.poll(figures, { timeout: 5000, interval: 10 }).toMatchObject(expected)

/** A connection that is kept open until the other side ends it. */
async function openSession(address: string, port: number): Promise<{ readonly ended: Promise<unknown> }> {
  const socket = connect(port, address)
  socket.on('error', () => {})
  const ended = once(socket, 'close')
  await once(socket, 'data')
  return { ended }
}

const fetchWithin = async (within: readonly string[], url: string): Promise<string> => {
  const [file = 'ip', ...args] = within
  return (await exec(file, [...args, 'curl', '-s', '-m', '5', url])).stdout
}

const boundPorts = async (folder: string): Promise<readonly number[]> =>
  (
    JSON.parse(await readFile(join(folder, 'haproxy.json'), 'utf8')) as { entryPorts: { port: number }[] }
  ).entryPorts.map(({ port }) => port)

const listening = (server: Server, port: number, address: string): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => resolve(server.address() as AddressInfo))
  })
