import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { type EnvironmentId, environmentId, type GroupId, instanceId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { System } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import type { MemoryCall } from '../targets/memory/memory-target.ts'
import {
  aDeploy,
  anOp,
  aService,
  aSystem,
  createMemoryMachine,
  type MemoryMachine,
} from './memory-engine.fixture.ts'
import {
  closeEngines,
  deployShop,
  finish,
  instancesOf,
  runningGroups,
  servedBy,
  shop,
  staging,
  start,
  statusOf,
  type TestEngine,
} from './shop-engine.fixture.ts'

afterEach(closeEngines)

const production: EnvironmentId = environmentId('shop', 'production')
const patience = { timeout: 10_000 }

/** Calls for which `holds` is true wait here, until they are let go or aborted. */
function gate(holds: (call: MemoryCall) => boolean) {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const held: MemoryCall[] = []
  let isShut = false
  return {
    held,
    shut: () => {
      isShut = true
    },
    open,
    before: async (call: MemoryCall, op: Op): Promise<void> => {
      if (!isShut || !holds(call)) return
      held.push(call)
      const aborted = new Promise<void>((resolve) => op.signal.addEventListener('abort', () => resolve()))
      await Promise.race([opened, aborted])
    },
  }
}

const startsOf =
  (...services: readonly string[]) =>
  (call: MemoryCall): boolean =>
    call.verb === 'start' && services.includes(call.group.service)

async function killFirst(engine: TestEngine, service: string, environment = staging): Promise<void> {
  const [victim] = await instancesOf(engine, service, environment)
  if (victim === undefined) throw new Error(`no instance of ${service}`)
  engine.target.kill(victim.id)
}

const states = async (
  engine: TestEngine,
  service: string,
  environment = staging,
): Promise<readonly string[]> => (await instancesOf(engine, service, environment)).map(({ state }) => state)

function inBoth(system: System): System {
  const { staging: environment } = system.environments
  if (environment === undefined) throw new Error('no environment')
  return {
    ...system,
    environments: { staging: environment, production: { ...environment, ingressPort: 8081 } },
  }
}

describe('healing', () => {
  it('does not hold up the routes', async () => {
    const machine = createMemoryMachine()
    const never = gate(startsOf('api'))
    const engine = await start(machine, { before: never.before })
    await deployShop(engine, machine, shop())
    const routes = await servedBy(engine)
    never.shut()
    await killFirst(engine, 'api')
    await expect.poll(() => never.held.length, patience).toBe(1)
    machine.world.routes.clear()
    await killFirst(engine, 'web')
    await expect.poll(() => servedBy(engine), patience).toEqual(routes)
    expect(await states(engine, 'api')).toEqual(['exited'])
  })

  it('does not hold up another service or another environment', async () => {
    const machine = createMemoryMachine()
    const never = gate(
      (call) => startsOf('api')(call) && call.verb === 'start' && call.group.environment === staging,
    )
    const engine = await start(machine, { before: never.before })
    await deployShop(engine, machine, inBoth(shop()))
    await finish(engine, engine.deploy(aDeploy({ environment: 'production' }), anOp()))
    never.shut()
    await killFirst(engine, 'api')
    await expect.poll(() => never.held.length, patience).toBe(1)
    await killFirst(engine, 'cache')
    await killFirst(engine, 'api', production)
    await expect.poll(() => states(engine, 'cache'), patience).toEqual(['healthy'])
    await expect.poll(() => states(engine, 'api', production), patience).toEqual(['healthy'])
  })

  it('never puts routes back that a deployment has switched meanwhile', async () => {
    const routed: (number | null)[] = []
    const machine = createMemoryMachine()
    const slow = gate(
      (call) => call.verb === 'start' && call.group.service === 'api' && slow.held.length === 0,
    )
    const engine = await start(machine, {
      before: async (call, op) => {
        if (call.verb === 'route') routed.push(call.table.generation)
        await slow.before(call, op)
      },
    })
    await deployShop(engine, machine, shop())
    slow.shut()
    machine.world.routes.clear()
    await killFirst(engine, 'api')
    await expect.poll(() => slow.held.length, patience).toBe(1)
    expect((await deployShop(engine, machine, shop({ api: '2' }))).outcome).toBe('succeeded')
    slow.open()
    await killFirst(engine, 'web')
    await expect.poll(() => states(engine, 'web'), patience).toEqual(['healthy', 'healthy'])
    expect(routed).toEqual([1, 1, 2])
  })

  it('goes on for what serves while a deployment starts something else', async () => {
    const machine = createMemoryMachine()
    const slow = gate((call) => call.verb === 'start' && call.group.image !== firstImage)
    const engine = await start(machine, { before: slow.before })
    const system = (version: string): System =>
      aSystem({
        web: aService(version, {
          expose: [{ kind: 'http', host: '*', path: '/', port: 80, entryPort: null }],
        }),
      })
    await deployShop(engine, machine, system('1'))
    const [served] = await servedBy(engine)
    const firstImage = machine.world.groups.get(served as GroupId)?.spec.image
    slow.shut()
    machine.manifests.set('/shop/basalt.yaml', system('2'))
    const deploying = engine.deploy(aDeploy(), anOp())
    await expect.poll(() => slow.held.length, patience).toBe(1)
    engine.target.kill(instanceId(served as GroupId, 1))
    const alive = () =>
      machine.world.groups.get(served as GroupId)?.instances.filter(({ state }) => state === 'healthy').length
    await expect.poll(alive, patience).toBe(1)
    slow.open()
    expect((await finish(engine, deploying)).outcome).toBe('succeeded')
  })

  it('leaves alone what the deployment has stopped itself', async () => {
    const machine = createMemoryMachine()
    const slow = gate((call) => startsOf('cache')(call) && call.verb === 'start' && call.group.id !== old)
    const engine = await start(machine, { before: slow.before })
    await deployShop(engine, machine, shop())
    const old = (await runningGroups(engine)).find((id) => id.startsWith('cache'))
    slow.shut()
    machine.manifests.set('/shop/basalt.yaml', shop({ cache: '2' }))
    const deploying = engine.deploy(aDeploy(), anOp())
    await expect.poll(() => slow.held.length, patience).toBe(1)
    await killFirst(engine, 'web')
    await expect.poll(() => states(engine, 'web'), patience).toEqual(['healthy', 'healthy'])
    expect(await runningGroups(engine)).not.toContain(old)
    slow.open()
    expect((await finish(engine, deploying)).outcome).toBe('succeeded')
  })
})

describe('what belongs to nothing', () => {
  const stranger = async (machine: MemoryMachine, engine: TestEngine): Promise<void> => {
    const failing = { ...shop(), services: { web: aService('web 1') } }
    expect((await deployShop(engine, machine, failing)).outcome).toBe('failed')
    await engine.close()
    const [group] = leftovers
    if (group === undefined) throw new Error('nothing was started')
    machine.world.groups.set(group.id, {
      spec: group,
      instances: [
        { id: instanceId(group.id, 1), startedAt: 0, state: 'healthy', exitCode: null, problem: null },
      ],
    })
  }
  const leftovers: Extract<MemoryCall, { verb: 'start' }>['group'][] = []
  const neverStarts = async (call: MemoryCall): Promise<void> => {
    if (call.verb !== 'start') return
    leftovers.push(call.group)
    throw new BasaltError('group.unhealthy', { message: 'never healthy' })
  }

  it('is shown and taken away, also where nothing has ever served', async () => {
    const machine = createMemoryMachine()
    await stranger(machine, await start(machine, { before: neverStarts }))
    const stopping = gate(({ verb }) => verb === 'stop')
    stopping.shut()
    const next = await start(machine, { before: stopping.before })
    const [left] = await runningGroups(next)
    expect(await statusOf(next)).toMatchObject({
      state: 'down',
      release: null,
      drift: [`${left} runs but belongs to nothing`],
    })
    stopping.open()
    await expect.poll(() => runningGroups(next), patience).toEqual([])
    expect(await statusOf(next)).toBeUndefined()
  })

  it('is not tried again and again in the same moment, nor does it fill the log', async () => {
    const machine = createMemoryMachine()
    const lines: string[] = []
    let isBroken = false
    const engine = await start(machine, {
      before: async ({ verb }) => {
        if (isBroken && verb === 'stop') throw new BasaltError('runtime.failed', { message: 'cannot stop' })
      },
      log: (message) => lines.push(message),
    })
    await deployShop(engine, machine, shop({ web: '1' }, { warmMs: 200 }))
    await deployShop(engine, machine, shop({ web: '2' }, { warmMs: 200 }))
    isBroken = true
    await expect.poll(() => lines.length, patience).toBeGreaterThan(0)
    await sleep(700)
    expect(lines).toHaveLength(1)
    isBroken = false
    await expect.poll(async () => (await statusOf(engine))?.warm, patience).toBeNull()
  })

  it('is not looked for in a hurry while a deployment runs past the end of the warm time', async () => {
    const machine = createMemoryMachine()
    const slow = gate((call) => call.verb === 'start')
    let looks = 0
    const engine = await start(machine, {
      before: slow.before,
      beforeObserve: async () => {
        looks += 1
      },
    })
    await deployShop(engine, machine, inBoth(shop({ web: '1' }, { warmMs: 100 })))
    await finish(engine, engine.deploy(aDeploy({ environment: 'production' }), anOp()))
    await deployShop(engine, machine, shop({ web: '2' }, { warmMs: 100 }))
    slow.shut()
    machine.manifests.set('/shop/basalt.yaml', shop({ web: '3' }, { warmMs: 100 }))
    const deploying = engine.deploy(aDeploy(), anOp())
    await expect.poll(() => slow.held.length, patience).toBe(1)
    await sleep(200)
    looks = 0
    await sleep(1000)
    // The conductor looks four times a second.
    expect(looks).toBeLessThan(8)
    slow.open()
    await finish(engine, deploying)
  })
})

it('a server stops at once, also when a look came in between a deployment', async () => {
  const machine = createMemoryMachine()
  const stuck = gate(({ verb }) => verb === 'start')
  let look: () => void = () => {}
  let held: Promise<void> | null = null
  const engine = await start(machine, {
    before: stuck.before,
    beforeObserve: () => {
      const first = held
      held = null
      return first ?? Promise.resolve()
    },
  })
  await deployShop(engine, machine, shop())
  stuck.shut()
  held = new Promise((resolve) => {
    look = resolve
  })
  await killFirst(engine, 'web')
  await expect.poll(() => held === null, patience).toBe(true)
  machine.manifests.set('/shop/basalt.yaml', shop({ cache: '2' }))
  await engine.deploy(aDeploy(), anOp())
  await expect.poll(() => stuck.held.length, patience).toBe(1)
  look()
  await sleep(20)
  await engine.close()
})
