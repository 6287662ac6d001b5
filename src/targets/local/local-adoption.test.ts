import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { InstanceId } from '../../core/ids.ts'
import type { ObservedInstance } from '../../core/observation.ts'
import { exec } from '../../util/exec.ts'
import { homeKey } from '../host/network/network-plan.ts'
import { type LocalPaths, localPaths } from './local-paths.ts'
import {
  fakeRouter,
  groupSpec,
  type LocalWorld,
  missing,
  newHome,
  op,
  openLocalWorld,
  staging,
} from './local-target.fixture.ts'

const server = fileURLToPath(new URL('./local-server.fixture.ts', import.meta.url))

describe('a server that follows another', () => {
  let home: string
  let world: LocalWorld | undefined
  let child: ChildProcess | undefined

  beforeEach(async (ctx) => {
    const reason = missing()
    if (reason !== null) ctx.skip(reason)
    home = await newHome()
  })
  afterEach(async () => {
    child?.kill('SIGKILL')
    world ??= await openLocalWorld(fakeRouter, home)
    await world.close()
    world = undefined
  })

  const paths = (): LocalPaths => localPaths(home, homeKey(home))

  /** Resolves when the server has printed this. */
  async function startServer(until: 'starting' | 'started'): Promise<ChildProcess> {
    const started = spawn(process.execPath, [server, home], { stdio: ['ignore', 'pipe', 'inherit'] })
    child = started
    for await (const chunk of started.stdout) if (String(chunk).includes(until)) break
    return started
  }
  async function killServer(running: ChildProcess): Promise<void> {
    if (running.exitCode !== null) throw new Error(`the server ended by itself with ${running.exitCode}`)
    const gone = new Promise((resolve) => running.once('exit', resolve))
    running.kill('SIGKILL')
    await gone
  }
  const instances = async (opened: LocalWorld): Promise<readonly ObservedInstance[]> =>
    (await opened.target.observe(staging, op())).groups.flatMap((group) => group.instances)

  async function expectNothingLeft(opened: LocalWorld): Promise<void> {
    expect(await readdir(opened.paths.instances)).toEqual([])
    await expect.poll(() => readdir(opened.paths.events)).toEqual([])
    const { stdout } = await exec('ps', ['-eo', 'args'])
    expect(stdout.split('\n').filter((line) => line.includes(home) && !line.includes('vitest'))).toEqual([])
    await opened.target.observe(staging, op())
    const pooled = (await readdir('/run/netns')).filter((name) => name.startsWith(opened.bridge))
    expect(pooled.length).toBeLessThanOrEqual(64)
  }

  it('finds instances healthy, the very same processes, and can stop them', async () => {
    const running = await startServer('started')
    const before = await Promise.all(
      (await readdir(paths().instances)).map(
        async (id) => JSON.parse(await readFile(paths().instance(id as InstanceId).record, 'utf8')).process,
      ),
    )
    await killServer(running)
    await sleep(100)
    world = await openLocalWorld(fakeRouter, home)
    const found = await instances(world)
    expect(found.map(({ state }) => state)).toEqual(['healthy', 'healthy', 'healthy'])
    const after = await Promise.all(found.map(async ({ id }) => (await world?.record(id))?.process))
    expect(after).toEqual(expect.arrayContaining(before))
    await world.target.stop(groupSpec(world.image, 'web').id, op())
    await expectNothingLeft(world)
  })

  it.each([0, 15, 40, 80, 150])(
    'cleans up or takes over after a kill %i ms into a start',
    async (delayMs) => {
      const running = await startServer('starting')
      await sleep(delayMs)
      await killServer(running)
      world = await openLocalWorld(fakeRouter, home)
      const spec = groupSpec(world.image, 'web', {}, { replicas: 3 })
      await world.target.start(spec, op())
      expect((await instances(world)).filter(({ state }) => state === 'healthy')).toHaveLength(3)
      await world.target.stop(spec.id, op())
      expect(await instances(world)).toEqual([])
      await expectNothingLeft(world)
    },
  )

  it('notes the exit of an instance that ended while nobody watched', async () => {
    const running = await startServer('started')
    await killServer(running)
    const [id = ''] = await readdir(paths().instances)
    const record = JSON.parse(await readFile(paths().instance(id as InstanceId).record, 'utf8'))
    process.kill(record.process.pid, 'SIGKILL')
    await sleep(300)
    world = await openLocalWorld(fakeRouter, home)
    expect((await instances(world)).find((instance) => instance.id === id)).toMatchObject({
      state: 'exited',
      exitCode: 137,
    })
  })

  it('goes on without a keeper, and notes an end that nobody recorded', async () => {
    world = await openLocalWorld(fakeRouter, home)
    const spec = groupSpec(world.image, 'web')
    await world.target.start(spec, op())
    const [instance] = await instances(world)
    if (instance === undefined) throw new Error('not started')
    const { pid } = (await world.record(instance.id)).process
    const runtime = await parentOf(pid)
    for (const victim of [await parentOf(runtime), runtime]) process.kill(victim, 'SIGKILL')
    await sleep(200)
    expect(await instances(world)).toMatchObject([{ id: instance.id, state: 'healthy' }])
    process.kill(pid, 'SIGKILL')
    await expect
      .poll(async () => (world === undefined ? [] : instances(world)), { timeout: 10_000 })
      .toMatchObject([{ id: instance.id, state: 'exited', exitCode: null }])
    await world.target.stop(spec.id, op())
    await expectNothingLeft(world)
  })

  it('does not take another process with the same number for its instance', async () => {
    const running = await startServer('started')
    await killServer(running)
    const [id = ''] = await readdir(paths().instances)
    const file = paths().instance(id as InstanceId).record
    const record = JSON.parse(await readFile(file, 'utf8'))
    process.kill(record.process.pid, 'SIGKILL')
    await writeFile(file, JSON.stringify({ ...record, process: { ...record.process, pid: process.pid } }))
    await sleep(200)
    world = await openLocalWorld(fakeRouter, home)
    expect((await instances(world)).find((instance) => instance.id === id)?.state).toBe('exited')
    await world.target.stop(groupSpec(world.image, 'web').id, op())
  })

  it('removes what was half-made', async () => {
    world = await openLocalWorld(fakeRouter, home)
    await instances(world)
    const { folder, record, exitFile } = world.paths.instance('web-0123456789abcdef.9' as InstanceId)
    await mkdir(folder, { recursive: true })
    await writeFile(`${record}.new`, '{"format"')
    await writeFile(exitFile, '0\n')
    await exec('ip', ['netns', 'add', `${world.bridge}-31999`])
    const reopened = await world.reopen()
    expect((await reopened.observe(staging, op())).groups).toEqual([])
    await expectNothingLeft(world)
    await expect.poll(() => readdir('/run/netns'), { timeout: 10_000 }).not.toContain(`${world.bridge}-31999`)
  })
})

async function parentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1])
}
