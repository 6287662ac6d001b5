import { afterEach, describe, expect, it } from 'vitest'
import { BasaltError } from '../errors.ts'
import { anOp, createMemoryMachine } from './memory-engine.fixture.ts'
import { closeEngines, deployShop, shop, start, statusOf } from './shop-engine.fixture.ts'

afterEach(closeEngines)

describe('status of an environment whose target is away', () => {
  it('tells what is known, and why the rest is not', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    const problem = 'no Docker Engine answers at /run/docker.sock'
    Object.assign(engine.target, {
      observe: () => Promise.reject(new BasaltError('docker.unreachable', { message: problem })),
    })
    const status = await statusOf(engine)
    expect(status).toMatchObject({
      state: 'degraded',
      release: { name: 'shop@1' },
      drift: [`what runs cannot be seen: ${problem}`],
    })
    expect(status?.services.map(({ name, healthy }) => [name, healthy])).toEqual([
      ['api', 0],
      ['cache', 0],
      ['web', 0],
    ])
  })

  it('is an error where Basalt itself fails', async () => {
    const machine = createMemoryMachine()
    const engine = await start(machine)
    await deployShop(engine, machine, shop())
    Object.assign(engine.target, { observe: () => Promise.reject(new TypeError('x')) })
    await expect(engine.status({ system: null, environment: null }, anOp())).rejects.toThrow(TypeError)
  })
})
