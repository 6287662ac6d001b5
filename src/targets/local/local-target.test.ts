import { readdir, readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId, InstanceId } from '../../core/ids.ts'
import type { ObservedInstance } from '../../core/observation.ts'
import type { RunSpec } from '../../core/system.ts'
import { exec } from '../../util/exec.ts'
import { readMounts } from '../../util/mountinfo.ts'
import {
  groupSpec,
  type LocalWorld,
  missing,
  op,
  openLocalWorld,
  runningHealth,
  staging,
} from './local-target.fixture.ts'

describe('the local target', () => {
  let world: LocalWorld
  const used = new Set<GroupId>()

  beforeAll(async () => {
    if (missing() === null) world = await openLocalWorld()
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

  const group = (
    service: string,
    run: Partial<RunSpec> = {},
    rest: Partial<Pick<GroupSpec, 'replicas' | 'needs'>> = {},
  ) => {
    const spec = groupSpec(world.image, service, run, rest)
    used.add(spec.id)
    return spec
  }
  const instances = async (id: GroupId): Promise<readonly ObservedInstance[]> =>
    (await world.target.observe(staging, op())).groups.find((found) => found.id === id)?.instances ?? []
  const only = async (id: GroupId): Promise<ObservedInstance> => {
    const [instance] = await instances(id)
    if (instance === undefined) throw new Error(`${id} has no instance`)
    return instance
  }
  const log = async (id: InstanceId): Promise<readonly string[]> => {
    const lines: string[] = []
    for await (const { text } of world.target.logs?.(id, { follow: false, tail: null }, op()) ?? [])
      lines.push(text)
    return lines
  }
  /** What a shell script prints inside an instance. */
  const inside = async (script: string, run: Partial<RunSpec> = {}): Promise<readonly string[]> => {
    const command = ['/bin/sh', '-c', `${script}\necho done; trap "exit 0" TERM; sleep 1000 & wait`]
    const spec = group('probe', { command, health: runningHealth, ...run })
    await world.target.start(spec, op())
    const { id } = await only(spec.id)
    await expect.poll(() => log(id), { timeout: 10_000 }).toContain('done')
    return (await log(id)).slice(0, -1)
  }
  it('gives a declared capability, also to a user who is not root', async () => {
    const lines = await inside('grep CapEff /proc/self/status', {
      user: '1000',
      capabilities: ['CAP_NET_BIND_SERVICE'],
    })
    expect(lines[0]).toMatch(/CapEff:\s+0000000000000400/)
  })

  it('starts instances of an image that was mounted after the shell that starts them', async () => {
    await world.target.start(group('web'), op())
    const image = await world.anotherImage('later')
    const spec = { ...group('later', { command: ['/bin/cat', '/etc/image'], health: runningHealth }), image }
    await world.target.start(spec, op()).catch(() => {})
    const ids = await world.target.logged?.(spec.id, op())
    expect(await log(ids?.at(-1) as InstanceId)).toEqual(['later'])
  })

  it('leaves nothing behind', async () => {
    const spec = group('web', { writable: [{ path: '/tmp', sizeBytes: 4096 }] }, { replicas: 3 })
    await world.target.start(spec, op())
    const records = await Promise.all((await instances(spec.id)).map(({ id }) => world.record(id)))
    await world.target.stop(spec.id, op())
    for (const { process, namespace } of records) {
      await expect(readFile(`/proc/${process.pid}/stat`)).rejects.toThrow('ENOENT')
      expect(await readdir('/run/netns')).not.toContain(namespace)
    }
    expect(await readdir(world.paths.instances)).toEqual([])
    expect(await readdir(world.paths.events)).toEqual([])
    expect((await readMounts()).filter(({ path }) => path.includes(spec.id))).toEqual([])
    const { stdout } = await exec('find', ['/sys/fs/cgroup', '-name', `${spec.id}*`])
    expect(stdout).toBe('')
    const { stdout: processes } = await exec('ps', ['-eo', 'args'])
    expect(processes).not.toContain(spec.id)
  })

  it('shares nothing with another home beside it', async () => {
    const other = await openLocalWorld()
    try {
      const ours = group('web')
      const theirs = groupSpec(other.image, 'web')
      await Promise.all([world.target.start(ours, op()), other.target.start(theirs, op())])
      expect(other.bridge).not.toBe(world.bridge)
      const [mine] = await instances(ours.id)
      const seen = (await other.target.observe(staging, op())).groups[0]?.instances[0]
      if (mine === undefined || seen === undefined) throw new Error('not started')
      const range = (address: string) => address.split('.').slice(0, 2).join('.')
      const [a, b] = [await world.record(mine.id), await other.record(seen.id)]
      expect(range(a.address)).not.toBe(range(b.address))
      await other.target.stop(theirs.id, op())
      expect((await instances(ours.id))[0]?.state).toBe('healthy')
    } finally {
      await other.close()
    }
  })
})
