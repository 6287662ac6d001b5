import { afterEach, describe, expect, it } from 'vitest'
import { digestOf } from '../core/digest.ts'
import type { System } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import type { MemoryCall } from '../targets/memory/memory-target.ts'
import { aDeploy, anOp, aRollback, aService, aSystem, createMemoryMachine } from './memory-engine.fixture.ts'
import {
  closeEngines,
  code,
  deployShop,
  finish,
  runningGroups,
  servedBy,
  shop,
  staging,
  start,
  statusOf,
} from './shop-engine.fixture.ts'

afterEach(closeEngines)

describe('deploy', () => {
  it('starts all, needs first, routes once, and succeeds', async () => {
    const calls: string[] = []
    const before = async (call: MemoryCall): Promise<void> => {
      calls.push(call.verb === 'start' ? `start ${call.group.service}` : call.verb)
    }
    const machine = createMemoryMachine()
    const engine = await start(machine, { before })
    const result = await deployShop(engine, machine, shop())
    expect(result).toMatchObject({
      outcome: 'succeeded',
      kind: 'deploy',
      release: { name: 'shop@1' },
      previous: null,
    })
    expect(result.groups.started).toHaveLength(3)
    expect(calls).toEqual(['prepare', 'start cache', 'start api', 'start web', 'route'])
    const status = await engine.status({ system: null, environment: null }, anOp())
    expect(status.environments).toMatchObject([
      {
        name: 'shop/staging',
        state: 'serving',
        release: { name: 'shop@1' },
        generation: 1,
        drift: [],
        endpoints: ['http://localhost:8080/'],
      },
    ])
  })

  it('does nothing when nothing changed', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const again = await engine.deploy(aDeploy(), anOp())
    expect(again).toMatchObject({ deployment: null, plan: { empty: true, steps: [] } })
    expect((await engine.releases(null, anOp())).releases).toHaveLength(1)
  })

  it('keeps unchanged groups by identity and replaces those that need a changed one', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const before = await runningGroups(engine)
    const result = await deployShop(engine, machine, shop({ api: '2' }))
    expect(result.groups.started.map((id) => id.slice(0, 3))).toEqual(['api', 'web'])
    expect(result.groups.kept).toHaveLength(1)
    expect(before).toContain(result.groups.kept[0])
  })

  it('replaces everything with --all, and keeps it when deployed again without', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const result = await deployShop(engine, machine, shop(), { all: true })
    expect(result.groups.started).toHaveLength(3)
    expect((await engine.deploy(aDeploy(), anOp())).deployment).toBeNull()
  })

  it('keeps the old generation warm, and retires the one before it', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop({ web: '1' }))
    const first = await servedBy(engine)
    await deployShop(engine, machine, shop({ web: '2' }))
    expect(await runningGroups(engine)).toEqual(expect.arrayContaining([...first]))
    const result = await deployShop(engine, machine, shop({ web: '3' }))
    expect(result.groups.stopped).toEqual(first)
    expect(await runningGroups(engine)).not.toContain(first[0])
  })

  it('retires the old generation when its warm time is over', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop({ web: '1' }, { warmMs: 300 }))
    const [first] = await servedBy(engine)
    await deployShop(engine, machine, shop({ web: '2' }, { warmMs: 300 }))
    await expect.poll(() => runningGroups(engine), { timeout: 15_000 }).not.toContain(first)
    expect(
      (await engine.status({ system: null, environment: null }, anOp())).environments[0]?.warm,
    ).toBeNull()
  })

  it('scales without replacing', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const [web] = await servedBy(engine)
    const result = await deployShop(engine, machine, shop({}, { services: { web: { replicas: 4 } } }))
    expect(await servedBy(engine)).toEqual([web])
    expect(result.outcome).toBe('succeeded')
    const { groups } = await engine.target.observe(staging, anOp())
    expect(groups.find(({ id }) => id === web)?.instances).toHaveLength(4)
  })

  it('stops a stateful group before its successor starts', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    machine.manifests.set('/shop/basalt.yaml', shop({ cache: '2' }))
    const plan = await engine.plan(aDeploy(), anOp())
    expect(plan.warnings.join()).toContain('cache is stateful')
    const kinds = plan.steps.map(({ kind, service }) => `${kind} ${service}`)
    expect(kinds.indexOf('stop cache')).toBeLessThan(kinds.indexOf('start cache'))
    expect((await finish(engine, engine.deploy(aDeploy(), anOp()))).outcome).toBe('succeeded')
  })
})

describe('a failing deployment', () => {
  const brokenWeb = async (call: MemoryCall): Promise<void> => {
    if (call.verb === 'start' && call.group.image === shopImage('web broken'))
      throw new BasaltError('group.unhealthy', {
        message: '1 of 2 instances of web unhealthy',
        details: { lastLogLines: ['boom'] },
      })
  }
  /** web and, perhaps, a service of that name which writes the one volume. */
  const withWriter = (writer: string | null, web: string): System => {
    const needs = writer === null ? [] : [writer]
    const volumes = [{ name: 'data', path: '/data' }]
    return aSystem({
      web: aService(`web ${web}`, { run: { needs } }),
      ...(writer === null ? {} : { [writer]: aService('writer', { run: { stateful: true, volumes } }) }),
    })
  }
  const shopImage = (version: string): string => digestOf(aService(version).source)

  it('leaves the old one serving and nothing of the new one behind', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine, { before: brokenWeb })
    await deployShop(engine, machine, shop())
    const [groups, routes] = [await runningGroups(engine), await servedBy(engine)]
    const result = await deployShop(engine, machine, shop({ web: 'broken', api: '2' }))
    expect(result).toMatchObject({
      outcome: 'failed',
      error: { code: 'group.unhealthy', details: { lastLogLines: ['boom'] } },
    })
    expect(await runningGroups(engine)).toEqual(groups)
    expect(await servedBy(engine)).toEqual(routes)
  })

  it('tells of groups as kept only where they were there before', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine, {
      before: async ({ verb }) => {
        if (verb === 'start') throw new BasaltError('group.died', { message: 'ended' })
      },
    })
    const { groups, outcome } = await deployShop(engine, machine, shop())
    expect(outcome).toBe('failed')
    // web and api had their turn after cache.
    expect(groups.started).toHaveLength(1)
    expect(groups.kept).toEqual([])
  })

  it('restores a stateful group that it had to stop', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine, { before: brokenWeb })
    await deployShop(engine, machine, shop())
    const groups = await runningGroups(engine)
    const result = await deployShop(engine, machine, shop({ web: 'broken', cache: '2' }))
    expect(result.outcome).toBe('failed')
    expect(await runningGroups(engine)).toEqual(groups)
  })

  it('switches back when an instance dies within the watch time', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const routes = await servedBy(engine)
    machine.manifests.set('/shop/basalt.yaml', shop({ web: '2' }, { watchMs: 20_000 }))
    const { deployment } = await engine.deploy(aDeploy(), anOp())
    await expect.poll(() => servedBy(engine)).not.toEqual(routes)
    const { groups } = await engine.target.observe(staging, anOp())
    const [served] = await servedBy(engine)
    const victim = groups.find(({ id }) => id === served)?.instances[0]
    if (victim === undefined || deployment === null) throw new Error('no instance')
    engine.target.kill(victim.id)
    expect(await engine.outcome(deployment, anOp())).toMatchObject({
      outcome: 'failed',
      error: { code: 'group.died' },
    })
    expect(await servedBy(engine)).toEqual(routes)
  })

  it('can be aborted', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine, {
      before: (call, op) =>
        call.verb === 'start'
          ? new Promise((resolve) => op.signal.addEventListener('abort', () => resolve()))
          : Promise.resolve(),
    })
    machine.manifests.set('/shop/basalt.yaml', shop())
    const { deployment } = await engine.deploy(aDeploy(), anOp())
    if (deployment === null) throw new Error('nothing began')
    await engine.abort(deployment, { name: 'bob' }, anOp())
    expect((await engine.outcome(deployment, anOp())).outcome).toBe('aborted')
    expect(await runningGroups(engine)).toEqual([])
  })

  it('cannot be aborted any more when it only tidies up, and says how to return', async () => {
    const machine = createMemoryMachine()
    let release: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let isStopping = false
    const engine = await start(machine, {
      before: ({ verb }) => {
        if (verb !== 'stop') return Promise.resolve()
        isStopping = true
        return held
      },
    })
    await deployShop(engine, machine, shop())
    machine.manifests.set('/shop/basalt.yaml', shop({ web: '2' }, { warmMs: 0 }))
    const { deployment } = await engine.deploy(aDeploy(), anOp())
    if (deployment === null) throw new Error('nothing began')
    await expect.poll(() => isStopping).toBe(true)
    expect(await code(engine.abort(deployment, { name: 'bob' }, anOp()))).toBe('deployment.settled')
    release()
    expect((await engine.outcome(deployment, anOp())).outcome).toBe('succeeded')
  })

  it('leaves a warm generation warm when the rollback to it is given up', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop({ web: '1' }))
    await deployShop(engine, machine, shop({ web: '2' }))
    const groups = await runningGroups(engine)
    const result = await finish(engine, engine.rollback(aRollback({ timeoutMs: 0 }), anOp()))
    expect(result.outcome).toBe('failed')
    expect(await runningGroups(engine)).toEqual(groups)
    expect((await statusOf(engine))?.warm).toMatchObject({ release: 'shop@1' })
  })

  it('of a stateful service leaves nothing warm whose writer had to stop for it', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine, { before: brokenWeb })
    await deployShop(engine, machine, withWriter('cache', '1'))
    await deployShop(engine, machine, withWriter(null, '1'))
    expect((await statusOf(engine))?.warm).toMatchObject({ release: 'shop@1' })
    expect((await deployShop(engine, machine, withWriter('store', 'broken'))).outcome).toBe('failed')
    expect((await statusOf(engine))?.warm).toBeNull()
  })

  it('ends when its outcome cannot be recorded, and the next one succeeds', async () => {
    const machine = createMemoryMachine()
    let isFull = true
    const engine = await start({
      ...machine,
      store: {
        ...machine.store,
        append: (stream, version, events) => {
          const isLost = isFull && events.some(({ type }) => type === 'step-completed')
          if (!isLost) return machine.store.append(stream, version, events)
          isFull = false
          return Promise.reject(new BasaltError('host.disk-full', { message: 'no space is left' }))
        },
        read: (from, op) => machine.store.read(from, op),
        head: () => machine.store.head(),
        verify: (op) => machine.store.verify(op),
        close: () => machine.store.close(),
      },
    })
    expect(await deployShop(engine, machine, shop())).toMatchObject({
      outcome: 'failed',
      error: { code: 'host.disk-full' },
    })
    expect(await runningGroups(engine)).toEqual([])
    expect((await deployShop(engine, machine, shop())).outcome).toBe('succeeded')
  })

  it('ends by its time limit', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine, {
      before: (call, op) =>
        call.verb === 'start'
          ? new Promise((resolve) => op.signal.addEventListener('abort', () => resolve()))
          : Promise.resolve(),
    })
    const result = await deployShop(engine, machine, shop(), { timeoutMs: 300 })
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'deployment.failed' } })
  })
})

describe('rollback', () => {
  it('to a warm generation is one switch', async () => {
    const calls: string[] = []
    const machine = createMemoryMachine()
    const engine = await start(machine, { before: async ({ verb }) => void calls.push(verb) })
    await deployShop(engine, machine, shop({ web: '1' }))
    const first = await servedBy(engine)
    await deployShop(engine, machine, shop({ web: '2' }))
    calls.length = 0
    const result = await finish(engine, engine.rollback(aRollback(), anOp()))
    expect(result).toMatchObject({
      outcome: 'succeeded',
      release: { name: 'shop@1' },
      previous: { name: 'shop@2' },
    })
    expect(await servedBy(engine)).toEqual(first)
    expect(calls).toEqual(['prepare', 'route'])
  })

  it('goes further back the second time, and refuses at the beginning', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    for (const web of ['1', '2', '3']) await deployShop(engine, machine, shop({ web }))
    expect((await finish(engine, engine.rollback(aRollback(), anOp()))).release?.name).toBe('shop@2')
    expect((await finish(engine, engine.rollback(aRollback(), anOp()))).release?.name).toBe('shop@1')
    expect(await code(engine.rollback(aRollback(), anOp()))).toBe('rollback.impossible')
    expect((await finish(engine, engine.rollback(aRollback({ to: 'shop@3' }), anOp()))).release?.name).toBe(
      'shop@3',
    )
  })

  it('restores the binding too', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop({}, { services: { web: { env: { LEVEL: 'info' } } } }))
    const first = await servedBy(engine)
    await deployShop(engine, machine, shop({}, { services: { web: { env: { LEVEL: 'debug' } } } }))
    expect(await servedBy(engine)).not.toEqual(first)
    await finish(engine, engine.rollback(aRollback(), anOp()))
    expect(await servedBy(engine)).toEqual(first)
  })
})

describe('two at once', () => {
  it('the second is refused naming the first, and recorded; with wait it comes after', async () => {
    const machine = createMemoryMachine()
    let release: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const engine = await start(machine, {
      before: ({ verb }) => (verb === 'start' ? held : Promise.resolve()),
    })
    machine.manifests.set('/shop/basalt.yaml', shop({ web: '1' }))
    const first = await engine.deploy(aDeploy(), anOp())
    machine.manifests.set('/shop/basalt.yaml', shop({ web: '2' }))
    await expect(engine.deploy(aDeploy(), anOp())).rejects.toThrow(first.deployment ?? '')
    const waiting = engine.deploy(aDeploy({ wait: true }), anOp())
    release()
    expect(await finish(engine, waiting)).toMatchObject({ outcome: 'succeeded', release: { name: 'shop@2' } })
    const { attempts } = await engine.history({ system: null, environment: null, limit: 10 }, anOp())
    expect(attempts.map(({ outcome }) => outcome).toSorted()).toEqual(['refused', 'succeeded', 'succeeded'])
  })

  it('history says of a refused one what served then', async () => {
    const machine = createMemoryMachine()
    let held = Promise.resolve()
    const engine = await start(machine, {
      before: ({ verb }) => (verb === 'start' ? held : Promise.resolve()),
    })
    const refuseDuring = async (web: string): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      machine.manifests.set('/shop/basalt.yaml', shop({ web }))
      const first = engine.deploy(aDeploy(), anOp())
      await first
      await expect(engine.deploy(aDeploy(), anOp())).rejects.toMatchObject({ code: 'deployment.in-progress' })
      resolve()
      await finish(engine, first)
    }
    await refuseDuring('1')
    await refuseDuring('2')
    const { attempts } = await engine.history({ system: null, environment: null, limit: 10 }, anOp())
    const from = (wanted: string) =>
      attempts.filter(({ outcome }) => outcome === wanted).map((attempt) => attempt.from)
    expect(from('succeeded')).toEqual(['shop@1', null])
    expect(from('refused')).toEqual(['shop@1', null])
  })
})

describe('down', () => {
  it('stops everything, and a rollback brings it back', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const groups = await runningGroups(engine)
    const request = {
      file: null,
      system: 'shop',
      environment: 'staging',
      wait: false,
      actor: { name: 'ada' },
    }
    expect((await finish(engine, engine.down(request, anOp()))).outcome).toBe('succeeded')
    expect(await runningGroups(engine)).toEqual([])
    expect(await servedBy(engine)).toEqual([])
    await finish(engine, engine.rollback(aRollback(), anOp()))
    expect(await runningGroups(engine)).toEqual(groups)
  })
})

describe('healing', () => {
  it('replaces an instance that ended by itself, and records it', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const { groups } = await engine.target.observe(staging, anOp())
    const victim = groups[0]?.instances[0]
    if (victim === undefined) throw new Error('no instance')
    engine.target.kill(victim.id)
    const state = async (): Promise<unknown> =>
      (await engine.status({ system: null, environment: null }, anOp())).environments[0]?.state
    await expect.poll(state, { timeout: 5000 }).toBe('serving')
    const after = await engine.target.observe(staging, anOp())
    expect(after.groups.flatMap(({ instances }) => instances.map(({ id }) => id))).not.toContain(victim.id)
  })
})

describe('follow', () => {
  it('tells the whole story, also afterwards', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    const { deployment } = await deployShop(engine, machine, shop())
    const codes: string[] = []
    for await (const { code: told } of engine.follow(deployment, anOp())) codes.push(told)
    expect(codes[0]).toBe('deployment.started')
    expect(codes.at(-1)).toBe('deployment.ended')
    expect(codes).toContain('route.switched')
  })
})
