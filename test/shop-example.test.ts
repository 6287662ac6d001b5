import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const shop = join(import.meta.dirname, '../examples/shop')
const missing = ['python3', 'redis-server'].filter(
  (tool) => spawnSync(tool, ['--version']).error !== undefined,
)

/** The shop as plain processes of this machine: what it does by itself, before anything deploys it. */
describe('examples/shop', () => {
  const processes: ChildProcess[] = []
  const folder = mkdtempSync(join(tmpdir(), 'basalt-shop-'))
  let api: ChildProcess
  let web: { readonly url: string; readonly process: ChildProcess }

  beforeAll(async () => {
    if (missing.length > 0) return
    const [cachePort, apiPort, webPort] = [await freePort(), await freePort(), await freePort()]
    run('redis-server', ['--port', `${cachePort}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''], {})
    api = run('python3', [join(shop, 'api/server.py')], {
      RELEASE: '7',
      PORT: `${apiPort}`,
      CACHE_HOST: '127.0.0.1',
      CACHE_PORT: `${cachePort}`,
      PYTHONDONTWRITEBYTECODE: '1',
    })
    const process_ = run(process.execPath, [join(shop, 'web/server.mjs')], {
      RELEASE: '7',
      PORT: `${webPort}`,
      API_URL: `http://127.0.0.1:${apiPort}`,
    })
    web = { url: `http://127.0.0.1:${webPort}/`, process: process_ }
    await answers(`http://127.0.0.1:${apiPort}/up`)
    await answers(`${web.url}up`)
  })

  afterAll(async () => {
    for (const child of processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })

  function run(program: string, args: readonly string[], environment: Record<string, string>): ChildProcess {
    const child = spawn(program, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    processes.push(child)
    return child
  }

  it('says in each answer which release each service belongs to', async (context) => {
    context.skip(missing.length > 0, `not installed: ${missing.join(', ')}`)
    const page = await fetch(web.url)
    expect(page.status).toBe(200)
    expect(page.headers.get('x-stamp-web')).toBe('7')
    expect(page.headers.get('x-stamp-api')).toBe('7')
    expect(await page.text()).toContain('web 7, api 7')
    expect(await (await fetch(`${web.url}stamps`)).json()).toEqual({ web: '7', api: '7' })
  })

  it('keeps a cart', async (context) => {
    context.skip(missing.length > 0, `not installed: ${missing.join(', ')}`)
    const add = (product: string, cookie: string): Promise<Response> =>
      fetch(`${web.url}cart`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie },
        body: new URLSearchParams({ product }),
      })
    const first = await add('slate', '')
    expect(first.status).toBe(303)
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? ''
    await add('slate', cookie)
    const text = await (await fetch(web.url, { headers: { cookie } })).text()
    expect(text).toContain('2 × Slate, one square metre')
    expect(text).toContain('Total €78.00')
    expect((await add('no-such-stone', cookie)).status).toBe(404)
    expect(await (await fetch(web.url)).text()).toContain('It is empty.')
  })

  it('answers what is in flight when it is asked to stop, and ends by itself', async (context) => {
    context.skip(missing.length > 0, `not installed: ${missing.join(', ')}`)
    api.kill('SIGSTOP')
    const answer = fetch(web.url)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const exit = once(web.process, 'exit')
    web.process.kill('SIGTERM')
    await said(web.process, 'web 7 stops')
    api.kill('SIGCONT')
    const response = await answer
    expect(response.status).toBe(200)
    expect(response.headers.get('connection')).toBe('close')
    expect(await exit).toEqual([0, null])
  })
})

async function said(child: ChildProcess, line: string): Promise<void> {
  for await (const chunk of child.stdout ?? []) if (String(chunk).includes(line)) return
  expect.fail(`it never said ${line}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers(url: string): Promise<void> {
  const giveUpAt = Date.now() + 20_000
  for (;;) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => null,
    )
    if (status === 200) return
    if (Date.now() > giveUpAt) throw new Error(`${url} does not answer`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
