import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId, InstanceId } from '../../core/ids.ts'
import type { ObservedInstance } from '../../core/observation.ts'
import type { RunSpec } from '../../core/system.ts'
import type { Router } from '../../router/router.ts'
import {
  fakeRouter,
  groupSpec,
  type LocalWorld,
  missing,
  op,
  openLocalWorld,
  runningHealth,
  staging,
} from './local-target.fixture.ts'

/** Well while /data/bad-<host name> is absent: a test makes an instance unwell, and well again, from outside. */
const command = ['/bin/sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait']
const health = {
  ...runningHealth,
  kind: 'command',
  intervalMs: 100,
  retries: 1,
  command: ['/bin/sh', '-c', '[ ! -e /data/bad ] && [ ! -e /data/bad-$HOSTNAME ]'],
} as const

describe('traffic of the local target', () => {
  let world: LocalWorld
  let router: Router
  const used = new Set<GroupId>()

  beforeAll(async () => {
    if (missing() !== null) return
    world = await openLocalWorld(async (home) => {
      router = await fakeRouter(home)
      return router
    })
  })
  beforeEach((ctx) => {
    const reason = missing()
    if (reason !== null) ctx.skip(reason)
  })
  afterEach(async () => {
    for (const id of used) await world.target.stop(id, op())
    used.clear()
  })
  afterAll(() => world?.close())

  const data = (name: string) => join(world.home, 'volumes/shop/staging', name)
  function group(
    name: string,
    run: Partial<RunSpec> = {},
    rest: Partial<Pick<GroupSpec, 'replicas'>> = {},
  ): GroupSpec {
    const spec = groupSpec(
      world.image,
      name,
      {
        command,
        health,
        volumes: [{ name, path: '/data' }],
        stop: { signal: 'SIGTERM', graceMs: 500 },
        ...run,
      },
      rest,
    )
    used.add(spec.id)
    return spec
  }
  const instances = async (id: GroupId): Promise<readonly ObservedInstance[]> =>
    (await world.target.observe(staging, op())).groups.find((found) => found.id === id)?.instances ?? []
  const states = async (id: GroupId) => (await instances(id)).map(({ state }) => state)
  const members = async (id: GroupId) => (await router.members(op())).get(id) ?? []
  const poll = { timeout: 10_000 }
  const mark = (name: string, instance: string) =>
    join(data(name), instance === '' ? 'bad' : `bad-${instance.replace('.', '-')}`)
  const spoil = (name: string, instance = '') => writeFile(mark(name, instance), '')
  const mend = (name: string, instance = '') => rm(mark(name, instance))

  it('ends while an instance is not well and another is, and comes back', async () => {
    const web = group('web', {}, { replicas: 2 })
    await world.target.start(web, op())
    const [first, second] = (await instances(web.id)).map(({ id }) => id)
    if (first === undefined || second === undefined) throw new Error('not started')
    await spoil('web', first)
    await expect.poll(() => members(web.id), poll).toEqual([second])
    await mend('web', first)
    await expect.poll(() => members(web.id), poll).toEqual([second, first])
    await expect.poll(() => states(web.id), poll).toEqual(['healthy', 'healthy'])
  })

  it('stays with all instances when none is well', async () => {
    const web = group('web', {}, { replicas: 2 })
    await world.target.start(web, op())
    await spoil('web')
    await expect.poll(() => states(web.id), poll).toEqual(['unhealthy', 'unhealthy'])
    expect(await members(web.id)).not.toEqual([])
    await mend('web')
    await expect.poll(() => states(web.id), poll).toEqual(['healthy', 'healthy'])
    expect(await members(web.id)).toHaveLength(2)
  })

  it('is part of being healthy, and start gives it to who lost it', async () => {
    const web = group('web')
    await world.target.start(web, op())
    const [instance] = await instances(web.id)
    if (instance === undefined) throw new Error('not started')
    await router.leave(web.id, instance.id, 0, op())
    expect(await instances(web.id)).toMatchObject([
      { id: instance.id, state: 'starting', problem: 'the router gives it no traffic' },
    ])
    await world.target.start(web, op())
    expect(await instances(web.id)).toMatchObject([{ id: instance.id, state: 'healthy' }])
  })

  it('a stateful instance that is not well is replaced, stopped first', async () => {
    const cache = group('cache', { stateful: true })
    await world.target.start(cache, op())
    const [before] = await instances(cache.id)
    await spoil('cache', before?.id)
    await expect.poll(() => states(cache.id), poll).toEqual(['unhealthy'])
    await world.target.start(cache, op())
    const [after] = await instances(cache.id)
    expect(after?.state).toBe('healthy')
    expect(after?.id).not.toBe(before?.id)
  })

  it('a failed start leaves what was there and nothing of its own', async () => {
    const web = group('web', { health: { ...health, startMs: 500 } }, { replicas: 2 })
    await world.target.start(web, op())
    const before = (await instances(web.id)).map(({ id }) => id)
    await spoil('web')
    await expect.poll(() => states(web.id), poll).toEqual(['unhealthy', 'unhealthy'])
    for (let attempt = 1; attempt <= 2; attempt++) {
      await expect(world.target.start(web, op())).rejects.toMatchObject({ code: 'group.unhealthy' })
      expect((await instances(web.id)).map(({ id }) => id)).toEqual(before)
    }
    await world.target.stop(web.id, op(), 1)
    expect(await instances(web.id)).toHaveLength(1)
    await mend('web')
    await expect.poll(() => states(web.id), poll).toEqual(['healthy'])
  })

  it('keeps those that are well when some have to go', async () => {
    const web = group('web', {}, { replicas: 3 })
    await world.target.start(web, op())
    const [first, ...others] = (await instances(web.id)).map(({ id }) => id)
    await spoil('web', first)
    await expect.poll(() => states(web.id), poll).toContain('unhealthy')
    await world.target.stop(web.id, op(), 2)
    expect((await instances(web.id)).map(({ id }) => id)).toEqual(others)
  })

  it('a volume that was being made when the server died is made anew', async () => {
    await mkdir(`${data('late')}.new/leftover`, { recursive: true })
    await world.target.start(group('late', { user: 'web' }), op())
    await expect(readFile(join(data('late'), 'leftover'))).rejects.toThrow('ENOENT')
  })

  it('a record of another version is refused, and its instance runs on', async () => {
    const web = group('web')
    await world.target.start(web, op())
    const [instance] = await instances(web.id)
    const path = world.paths.instance(instance?.id as InstanceId).record
    const text = await readFile(path, 'utf8')
    const { process: started } = JSON.parse(text)
    await writeFile(path, text.replace('"format":1', '"format":2'))
    const next = await world.reopen()
    await expect(next.ready).rejects.toMatchObject({
      code: 'host.home-invalid',
      message: expect.stringContaining(path),
    })
    expect(() => process.kill(started.pid, 0)).not.toThrow()
    await writeFile(path, text)
    await world.reopen()
    await expect.poll(() => instances(web.id), poll).toMatchObject([{ id: instance?.id, state: 'healthy' }])
  })
})
