import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { digestOf } from '../core/digest.ts'
import { BasaltError } from '../errors.ts'
import type { MemoryCall } from '../targets/memory/memory-target.ts'
import {
  aDeploy,
  anOp,
  aService,
  createMemoryMachine,
  type MemoryFaults,
  type MemoryMachine,
  startMemoryEngine,
} from './memory-engine.fixture.ts'
import {
  closeEngines,
  deployShop,
  instancesOf,
  runningGroups,
  servedBy,
  shop,
  start,
} from './shop-engine.fixture.ts'

afterEach(closeEngines)

type Moment = 'before' | 'after'

/** Hangs for ever at the n-th target call, before or after its effect: as if the server was killed there. */
function dyingAt(moment: number, when: Moment, alsoBefore: (call: MemoryCall) => Promise<void>) {
  let calls = 0
  let isDead = false
  let died: () => void = () => {}
  const death = new Promise<'died'>((resolve) => {
    died = () => resolve('died')
  })
  const hang = (): Promise<void> => {
    calls += 1
    if (calls < moment) return Promise.resolve()
    isDead = true
    died()
    return new Promise(() => {})
  }
  const mortal = (machine: MemoryMachine): MemoryMachine => ({
    ...machine,
    store: {
      append: (stream, version, events) =>
        isDead ? new Promise(() => {}) : machine.store.append(stream, version, events),
      read: (from, op) => machine.store.read(from, op),
      head: () => machine.store.head(),
      verify: (op) => machine.store.verify(op),
      close: () => machine.store.close(),
    },
  })
  const faults: MemoryFaults = {
    before: async (call) => {
      if (when === 'before') await hang()
      await alsoBefore(call)
    },
    ...(when === 'after' ? { after: hang } : {}),
  }
  return { death, mortal, faults }
}

const brokenWeb = async (call: MemoryCall): Promise<void> => {
  if (call.verb === 'start' && call.group.image === digestOf(aService('web broken').source))
    throw new BasaltError('group.unhealthy', { message: 'web is never healthy' })
}

/** Deploys over a healthy shop with a server that dies at that call; then what the next server makes of it. */
async function surviving(moment: number, when: Moment, versions: Parameters<typeof shop>[0]) {
  const machine = createMemoryMachine()
  const first = await start(machine)
  await deployShop(first, machine, shop({}, { warmMs: 0 }))
  const before = { groups: await runningGroups(first), routes: await servedBy(first) }
  await first.close()

  const { death, mortal, faults } = dyingAt(moment, when, brokenWeb)
  const dying = await startMemoryEngine(mortal(machine), faults)
  machine.manifests.set('/shop/basalt.yaml', shop(versions, { warmMs: 0 }))
  const { deployment } = await dying.deploy(aDeploy(), anOp())
  if (deployment === null) throw new Error('nothing began')
  expect(await Promise.race([death, dying.outcome(deployment, anOp())])).toBe('died')
  void dying.close()

  const next = await start(machine, { before: brokenWeb })
  const { outcome } = await next.outcome(deployment, anOp())
  return { outcome, before, groups: await runningGroups(next), routes: await servedBy(next) }
}

const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1)

describe.each(['before', 'after'] as const)('a server that dies %s', (when) => {
  // prepare, stop and start cache, start api and web, route, stop the old api and web.
  it.each(upTo(8))('call number %i of a deployment: the next one finishes it', async (moment) => {
    const { outcome, before, groups, routes } = await surviving(moment, when, { api: '2', cache: '2' })
    expect(outcome).toBe('succeeded')
    expect(groups).toHaveLength(3)
    expect(groups.filter((id) => before.groups.includes(id))).toEqual([])
    expect(groups).toContain(routes[0])
  })

  // prepare, stop and start cache, start api, and web in vain; then stop and start cache, and stop api. What fails
  // has no effect after which to die.
  it.each(upTo(when === 'before' ? 8 : 7))(
    'call number %i of a deployment that has to go back: the next one goes back',
    async (moment) => {
      const versions = { web: 'broken', api: '2', cache: '2' }
      const { outcome, before, groups, routes } = await surviving(moment, when, versions)
      expect(outcome).toBe('failed')
      expect({ groups, routes }).toEqual(before)
    },
  )

  it('the start that heals: the next one has each instance once', async () => {
    const machine = createMemoryMachine()
    const first = await start(machine)
    await deployShop(first, machine, shop())
    await first.close()
    const [victim] = await instancesOf(first, 'web')
    if (victim === undefined) throw new Error('no instance')
    first.target.kill(victim.id)

    const { death, mortal, faults } = dyingAt(1, when, brokenWeb)
    const dying = await startMemoryEngine(mortal(machine), faults)
    await death
    void dying.close()

    const next = await start(machine)
    const states = async () => (await instancesOf(next, 'web')).map(({ state }) => state)
    await expect.poll(states, { timeout: 10_000 }).toEqual(['healthy', 'healthy'])
  })
})

it('a server that stops takes the end of its own starts for no failure', async () => {
  const machine = createMemoryMachine()
  let look: () => void = () => {}
  let held: Promise<void> | null = null
  const stopping = await startMemoryEngine(machine, {
    before: ({ verb }, op) =>
      verb === 'start'
        ? new Promise((resolve) => {
            held ??= new Promise((done) => {
              look = done
            })
            op.signal.addEventListener('abort', () => resolve())
          })
        : Promise.resolve(),
    beforeObserve: () => held ?? Promise.resolve(),
  })
  machine.manifests.set('/shop/basalt.yaml', shop())
  const { deployment } = await stopping.deploy(aDeploy(), anOp())
  if (deployment === null) throw new Error('nothing began')
  await expect.poll(() => held !== null).toBe(true)
  await sleep(50)
  const stopped = stopping.close()
  await sleep(50)
  look()
  await stopped

  const next = await start(machine)
  expect((await next.outcome(deployment, anOp())).outcome).toBe('succeeded')
})
