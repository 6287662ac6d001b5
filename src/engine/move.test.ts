import { afterEach, describe, expect, it } from 'vitest'
import type { System } from '../core/system.ts'
import type { MemoryCall } from '../targets/memory/memory-target.ts'
import type { MemoryWorld } from '../targets/memory/memory-world.ts'
import { aDeploy, anOp, aRollback, createMemoryMachine } from './memory-engine.fixture.ts'
import { closeEngines, deployShop, finish, shop, staging, start, statusOf } from './shop-engine.fixture.ts'

afterEach(closeEngines)

const on = (target: string, system: System, warmMs = 600_000): System => ({
  ...system,
  environments: Object.fromEntries(
    Object.entries(system.environments).map(([name, spec]) => [name, { ...spec, target, warmMs }]),
  ),
})
const services = ({ groups }: MemoryWorld): readonly string[] =>
  [...groups.values()].map(({ spec }) => spec.service).toSorted()
const all = ['api', 'cache', 'web']

describe('an environment that moves to another target', () => {
  it('runs there, is routed there alone, and what ran before stays warm where it was', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    const first = await deployShop(engine, machine, on('memory', shop()))
    const moved = await deployShop(engine, machine, on('elsewhere', shop()))
    expect(moved).toMatchObject({ outcome: 'succeeded', release: first.release })
    expect(moved.groups.kept).toEqual([])
    expect(services(machine.elsewhere)).toEqual(all)
    expect(machine.elsewhere.routes.get(staging)?.generation).toBe(2)
    expect(machine.world.routes.get(staging)).toBeUndefined()
    // The cache is stateful: it was stopped before its successor started.
    expect(services(machine.world)).toEqual(['api', 'web'])
    expect(await statusOf(engine)).toMatchObject({ target: 'elsewhere', state: 'serving', drift: [] })
  })

  it('says beforehand that it moves, and what that means', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, on('memory', shop()))
    machine.manifests.set('/shop/basalt.yaml', on('elsewhere', shop()))
    const plan = await engine.plan(aDeploy(), anOp())
    expect(plan.changes.map(({ action, why }) => [action, why[0]])).toEqual(
      all.map(() => ['replace', 'moves from target memory to elsewhere']),
    )
    expect(plan.warnings).toContainEqual(expect.stringContaining('share no router'))
  })

  it('goes back by a rollback', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, on('memory', shop()))
    await deployShop(engine, machine, on('elsewhere', shop()))
    const back = await finish(engine, engine.rollback(aRollback(), anOp()))
    expect(back.outcome).toBe('succeeded')
    expect(services(machine.world)).toEqual(all)
    expect(machine.world.routes.get(staging)?.generation).toBe(3)
    expect(machine.elsewhere.routes.get(staging)).toBeUndefined()
  })

  it('leaves nothing behind where nothing is to stay warm', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, on('memory', shop(), 0))
    await deployShop(engine, machine, on('elsewhere', shop(), 0))
    expect(services(machine.world)).toEqual([])
    expect(services(machine.elsewhere)).toEqual(all)
  })

  it('stays where it is when a start fails there, and leaves nothing there', async () => {
    const machine = createMemoryMachine()
    const before = async (call: MemoryCall): Promise<void> => {
      if (call.verb === 'start' && call.group.service === 'web' && machine.elsewhere.groups.size > 0)
        throw new Error('no web here')
    }
    const engine = await start(machine, { before })
    await deployShop(engine, machine, on('memory', shop()))
    const failed = await deployShop(engine, machine, on('elsewhere', shop()))
    expect(failed.outcome).toBe('failed')
    expect(services(machine.elsewhere)).toEqual([])
    expect(services(machine.world)).toEqual(all)
    expect(machine.world.routes.get(staging)?.generation).toBe(1)
    expect(await statusOf(engine)).toMatchObject({ target: 'memory', state: 'serving', drift: [] })
  })

  it('is taken down on both', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, on('memory', shop()))
    await deployShop(engine, machine, on('elsewhere', shop()))
    await finish(engine, engine.down({ ...aRollback(), wait: false }, anOp()))
    expect([services(machine.world), services(machine.elsewhere)]).toEqual([[], []])
  })

  it('is refused while the target that it leaves cannot be looked at: something may write there', async () => {
    const machine = createMemoryMachine()
    let blind = false
    const beforeObserve = async (): Promise<void> => {
      if (blind) throw new Error('it does not answer')
    }
    const engine = await start(machine, { beforeObserve })
    await deployShop(engine, machine, on('memory', shop()))
    blind = true
    await expect(deployShop(engine, machine, on('elsewhere', shop()))).rejects.toThrow('it does not answer')
    expect(services(machine.elsewhere)).toEqual([])
    blind = false
  })

  it('is cared for while a target that it left cannot be looked at', async () => {
    const machine = createMemoryMachine()
    let blind = false
    const beforeObserve = async (): Promise<void> => {
      if (blind) throw new Error('it does not answer')
    }
    const engine = await start(machine, { beforeObserve })
    await deployShop(engine, machine, on('memory', shop()))
    await deployShop(engine, machine, on('elsewhere', shop()))
    blind = true
    machine.elsewhere.groups.clear()
    await expect.poll(() => services(machine.elsewhere), { timeout: 20_000 }).toEqual(all)
    expect(await statusOf(engine)).toMatchObject({ target: 'elsewhere', state: 'serving' })
    blind = false
  })

  it('is not held up by a target where nothing of it runs any more', async () => {
    const machine = createMemoryMachine()
    let blind = false
    const beforeObserve = async (): Promise<void> => {
      if (blind) throw new Error('it does not answer')
    }
    const engine = await start(machine, { beforeObserve })
    await deployShop(engine, machine, on('memory', shop(), 0))
    await deployShop(engine, machine, on('elsewhere', shop(), 0))
    blind = true
    const next = await deployShop(engine, machine, on('elsewhere', shop({ web: '2' }), 0))
    expect(next.outcome).toBe('succeeded')
    expect(await statusOf(engine)).toMatchObject({ state: 'serving', drift: [] })
    blind = false
  })
})
