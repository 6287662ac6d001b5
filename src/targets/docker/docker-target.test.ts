import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId, InstanceId } from '../../core/ids.ts'
import type { ObservedInstance } from '../../core/observation.ts'
import type { RunSpec } from '../../core/system.ts'
import { storeImage, tarOf } from '../../images/image.fixture.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import { createHaproxyRouter } from '../../router/haproxy/haproxy-router.ts'
import { exec } from '../../util/exec.ts'
import { openHomeNetwork } from '../host/network/home-network.ts'
import { groupSpec, httpServer, op, runningHealth, staging } from '../local/local-target.fixture.ts'
import type { LogLine } from '../target.ts'
import { type DockerWorld, missing, openDockerWorld } from './docker-target.fixture.ts'
import { homeLabel } from './instance/labels.ts'

const sleeps = ['/bin/sh', '-c', 'echo up; trap "exit 0" TERM; sleep 100000 & wait']
/** Without ports: the router would find that nobody answers there. */
const idle = { command: sleeps, health: runningHealth, ports: [] } satisfies Partial<RunSpec>
const patience = { timeout: 20_000 }

describe('the docker target', () => {
  let world: DockerWorld
  const used = new Set<GroupId>()

  beforeAll(async () => {
    if (missing() !== null) return
    world = await openDockerWorld(async (home, network) =>
      createHaproxyRouter({ folder: join(home, 'router'), network, exec, now: Date.now }),
    )
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
    rest: Partial<Pick<GroupSpec, 'replicas' | 'needs' | 'image'>> = {},
  ): GroupSpec => {
    const spec = groupSpec(rest.image ?? world.image, service, run, rest)
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
  const lines = async (id: InstanceId): Promise<readonly LogLine[]> => {
    const all: LogLine[] = []
    for await (const line of world.target.logs?.(id, { follow: false, tail: null }, op()) ?? [])
      all.push(line)
    return all
  }
  const run = async (id: InstanceId, script: string): Promise<string> =>
    (await world.engine.run(world.container(id), ['/bin/sh', '-c', script], 20_000)).output.trim()

  it('makes containers from an image without a name, and says on them what they are', async () => {
    const web = group('web', idle)
    await world.target.start(web, op())
    const [container] = await world.engine.containers(homeLabel(world.home))
    expect(container?.labels).toMatchObject({
      'org.basalt.environment': staging,
      'org.basalt.service': 'web',
      'org.basalt.group': web.id,
      'org.basalt.image': world.image,
    })
    const named = await world.dockerd.run('images', '--format', '{{.Repository}}:{{.Tag}}')
    expect(named).toEqual(['<none>:<none>'])
    const policy = await world.dockerd.run(
      'inspect',
      '--format',
      '{{.HostConfig.RestartPolicy.Name}}',
      container?.id ?? '',
    )
    expect(policy).toEqual(['no'])
  })

  it('reaches what it needs by its name, through the router, and nothing else by name or address', async () => {
    const api = group('api', { command: httpServer, env: { VERSION: 'the api' } })
    const other = group('other', { command: httpServer, env: { VERSION: 'another' } })
    const web = group('web', idle, { needs: { api: api.id } })
    for (const spec of [api, other, web]) await world.target.start(spec, op())
    const { id } = await only(web.id)
    const ask = (host: string) => run(id, `echo "GET / HTTP/1.0\n" | nc -w 5 ${host} 8080 2>&1 | tail -n 1`)
    expect(await ask('api')).toBe('the api')

    const stranger = (await only(other.id)).id
    const refused = expect.stringMatching(/refused|unreachable/i)
    expect(await ask(await world.address(stranger))).toEqual(refused)
    // Nor may it go around the router to what it does need.
    expect(await ask(await world.address((await only(api.id)).id))).toEqual(refused)
    for (const name of [world.container(stranger), 'other', stranger.replace('.', '-')])
      expect(await ask(name)).toMatch(/bad address|timed out/i)
  })

  it('tells when a line was written, and keeps the log of what is gone', async () => {
    const before = Date.now()
    const web = group('web', { ...idle, command: ['/bin/sh', '-c', 'echo one; echo two >&2; sleep 1000'] })
    await world.target.start(web, op())
    const { id } = await only(web.id)
    await expect
      .poll(async () => (await lines(id)).map(({ text }) => text).toSorted())
      .toEqual(['one', 'two'])
    for (const { at } of await lines(id)) expect(at).toBeGreaterThanOrEqual(before - 1000)
    await world.target.stop(web.id, op())
    expect(await world.target.logged?.(web.id, op())).toEqual([id])
    expect((await lines(id)).map(({ text }) => text).toSorted()).toEqual(['one', 'two'])
  })

  it('runs images whose layers are compressed, in any of the ways that OCI has', async () => {
    const store = await openContentStore(join(world.home, 'content'))
    const busybox = await exec('cat', ['/bin/busybox'])
    expect(busybox.exitCode).toBe(0)
    for (const compression of ['gzip', 'zstd'] as const) {
      const layer = await tarOf([
        { name: './bin/', type: 'directory', mode: 0o755 },
        { name: './kind', content: compression },
      ])
      const { digest } = await storeImage(store, { layers: [layer], compression, config: { Cmd: ['/none'] } })
      const spec = group('web', { ...idle, command: ['/bin/nope'] }, { image: digest })
      await world.target.prepare([spec], op())
      // It was loaded: the Engine looked for the program in it.
      await expect(world.target.start(spec, op())).rejects.toMatchObject({
        code: 'group.died',
        message: 'web cannot run /bin/nope: its image has no such executable file',
      })
    }
  })

  it('brings images and the network again when somebody pruned them', async () => {
    const web = group('web', idle)
    await world.target.prepare([web], op())
    await world.dockerd.run('image', 'prune', '--force')
    await world.dockerd.run('network', 'prune', '--force')
    expect(await world.dockerd.run('images', '--quiet')).toEqual([])
    await world.target.start(web, op())
    expect(await instances(web.id)).toMatchObject([{ state: 'healthy' }])
  })

  it('removes what a server has left half-made, and takes over the rest by its labels', async () => {
    const web = group('web', idle)
    await world.target.start(web, op())
    const { id } = await only(web.id)
    const [container] = await world.engine.containers(homeLabel(world.home))
    // As a server that ended between making a container and starting it.
    const label = Object.entries({ ...container?.labels, 'org.basalt.instance': `${web.id}.9999` })
    const labels = label.flatMap(([name, value]) => ['--label', `${name}=${value}`])
    await world.dockerd.run(
      'create',
      ...labels,
      container?.labels['org.basalt.image'] === undefined ? '' : await imageId(),
    )
    await world.dockerd.run('create', '--label', homeLabel(world.home), await imageId())
    expect(await world.engine.containers(homeLabel(world.home))).toHaveLength(3)
    const target = await world.reopen()
    expect((await target.observe(staging, op())).groups).toMatchObject([
      { id: web.id, instances: [{ id, state: 'healthy' }] },
    ])
    // What only carries our label is nobody's to remove.
    const left = await world.engine.containers(homeLabel(world.home))
    expect(left).toHaveLength(2)
    for (const { id: stranger, state } of left) if (state === 'created') await world.engine.remove(stranger)
  })

  it('notices what ended while the Engine was away, and starts it again', async () => {
    const web = group('web', idle)
    await world.target.start(web, op())
    const { id } = await only(web.id)
    const exits: InstanceId[] = []
    const unwatch = world.target.onExit?.((instance) => exits.push(instance))
    await world.dockerd.stop()
    await expect(world.target.observe(staging, op())).rejects.toMatchObject({ code: 'docker.unreachable' })
    await world.dockerd.start()
    await expect.poll(() => exits, patience).toEqual([id])
    unwatch?.()
    expect(await instances(web.id)).toMatchObject([{ id, state: 'exited' }])
    await world.target.start(web, op())
    expect(await instances(web.id)).toMatchObject([{ state: 'healthy' }])
    // It follows the new Engine.
    const again = await only(web.id)
    await world.engine.kill(world.container(again.id), 'SIGKILL')
    await expect.poll(async () => (await only(web.id)).state, patience).toBe('exited')
  })

  it('starts again after a reboot, which ends instances and takes the bridge away', async () => {
    const web = group('web')
    await world.target.start(web, op())
    const { id } = await only(web.id)
    await world.dockerd.stop()
    await exec('ip', ['link', 'del', world.network.plan.bridge])
    await world.dockerd.start()
    const network = await openHomeNetwork(world.home)
    await network.secured()
    expect(network.plan).toEqual(world.network.plan)
    await expect.poll(async () => (await only(web.id)).state, patience).toBe('exited')
    // Its health is asked at its address.
    await world.target.start(web, op())
    expect(await instances(web.id)).toMatchObject([{ id: expect.not.stringMatching(id), state: 'healthy' }])
  })

  it('leaves nothing in the Engine or on the disk but logs', async () => {
    const web = group('web', { ...idle, writable: [{ path: '/tmp', sizeBytes: 4096 }] }, { replicas: 2 })
    await world.target.start(web, op())
    await world.target.stop(web.id, op())
    expect(await world.dockerd.run('ps', '--all', '--quiet')).toEqual([])
    expect(await world.dockerd.run('volume', 'ls', '--quiet')).toEqual([])
    expect(await readdir(join(world.home, 'docker', 'instances'))).toEqual([])
  })

  const imageId = async (): Promise<string> =>
    (await world.dockerd.run('images', '--quiet', '--no-trunc'))[0] ?? ''
})

describe('the docker target on an Engine that keeps containers', () => {
  it('has the very same instances after a restart of Docker', async (context) => {
    const reason = missing()
    if (reason !== null) return context.skip(reason)
    const world = await openDockerWorld(undefined, { liveRestore: true })
    try {
      const web = groupSpec(world.image, 'web')
      await world.target.start(web, op())
      const before = (await world.target.observe(staging, op())).groups
      await world.dockerd.stop()
      await world.dockerd.start()
      expect((await world.target.observe(staging, op())).groups).toEqual(before)
    } finally {
      await world.close()
    }
  })
})
