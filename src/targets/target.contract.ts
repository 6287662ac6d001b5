import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { GroupSpec } from '../core/generation.ts'
import { type EnvironmentId, environmentId, type GroupId, type InstanceId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { RouteTable } from '../core/route-table.ts'
import { BasaltError, type ErrorCode } from '../errors.ts'
import type { Target } from './target.ts'

/** What a driver's test brings along so that the one suite can try it. */
export interface TargetHarness {
  readonly target: Target
  /** Another Target object over the same instances, as after a restart of the server. */
  reopen(): Promise<Target>
  group(wish: GroupWish): GroupSpec
  /** Ends an instance from outside, at once, as a crash would. */
  kill(instance: InstanceId): Promise<void>
  /** Makes the checks of a healthy instance fail for ever, without ending it. */
  spoil(instance: InstanceId): Promise<void>
  /** A host port that nobody uses. */
  entryPort(): Promise<number>
  /** What a GET at the entry gives: the `version` of the group that answered; null where nobody does. Absent without real traffic. */
  request?(entryPort: number, host: string, path: string): Promise<string | null>
  close(): Promise<void>
}

export interface GroupWish {
  readonly environment: EnvironmentId
  readonly service: string
  /** Makes groups of one service differ; a healthy instance answers every GET with it. */
  readonly version: string
  readonly replicas?: number
  readonly behaviour?: 'healthy' | 'never-healthy' | 'dies'
  /** Writes to this volume, as a stateful service. */
  readonly volume?: string
}

export type ContractExemptions = Readonly<Record<string, string>>

const staging = environmentId('contract', 'staging')
const production = environmentId('contract', 'production')
const op = (timeoutMs = 30_000): Op => ({
  signal: AbortSignal.timeout(timeoutMs),
  deadline: Date.now() + timeoutMs,
})

/** Every driver passes this suite. `exemptions` maps a test's name to the reason why the driver cannot. */
export function describeTargetContract(
  name: string,
  open: () => Promise<TargetHarness>,
  exemptions: ContractExemptions = {},
): void {
  describe(`Target contract: ${name}`, () => {
    let harness: TargetHarness
    const used = new Set<GroupId>()

    beforeAll(async () => {
      harness = await open()
    })
    afterEach(async () => {
      for (const environment of [staging, production])
        await harness.target.route(emptyTable(environment), op())
      for (const group of used) await harness.target.stop(group, op())
      used.clear()
    })
    afterAll(async () => harness?.close())

    const test = (title: string, body: () => Promise<void>): void => {
      const reason = exemptions[title]
      if (reason === undefined) it(title, body)
      else it.skip(`${title} (exempt: ${reason})`, body)
    }
    const group = (wish: Partial<GroupWish> = {}): GroupSpec => {
      const spec = harness.group({ environment: staging, service: 'web', version: 'one', ...wish })
      used.add(spec.id)
      return spec
    }
    const inState = async (spec: GroupSpec, state: string): Promise<readonly InstanceId[]> => {
      const observation = await harness.target.observe(spec.environment, op())
      const found = observation.groups.find((candidate) => candidate.id === spec.id)
      return (found?.instances ?? []).filter((instance) => instance.state === state).map(({ id }) => id)
    }
    const healthy = (spec: GroupSpec): Promise<readonly InstanceId[]> => inState(spec, 'healthy')
    const spoilt = async (spec: GroupSpec, instance: InstanceId | undefined): Promise<void> => {
      if (instance === undefined) throw new Error('no instance')
      await harness.spoil(instance)
      await expect.poll(() => inState(spec, 'unhealthy'), { timeout: 20_000 }).toEqual([instance])
    }

    test('observes nothing where nothing was started', async () => {
      expect(await harness.target.observe(staging, op())).toEqual({
        environment: staging,
        groups: [],
        routes: null,
      })
    })

    test('start resolves when every instance is healthy', async () => {
      const spec = group({ replicas: 2 })
      await harness.target.prepare([spec], op())
      await harness.target.prepare([spec], op())
      await harness.target.start(spec, op())
      expect(await healthy(spec)).toHaveLength(2)
    })

    test('start is idempotent by id', async () => {
      const spec = group({ replicas: 2 })
      await harness.target.start(spec, op())
      const before = await healthy(spec)
      await harness.target.start(spec, op())
      expect(await healthy(spec)).toEqual(before)
    })

    test('start tops up a group and leaves what is healthy alone', async () => {
      const spec = group({ replicas: 1 })
      await harness.target.start(spec, op())
      const [first] = await healthy(spec)
      await harness.target.start({ ...spec, replicas: 3 }, op())
      const now = await healthy(spec)
      expect(now).toHaveLength(3)
      expect(now).toContain(first)
    })

    test('a killed instance is seen, and start replaces it under a new id', async () => {
      const spec = group({ replicas: 2 })
      await harness.target.start(spec, op())
      const [victim] = await healthy(spec)
      if (victim === undefined) throw new Error('no instance')
      await harness.kill(victim)
      await expect.poll(() => healthy(spec), { timeout: 10_000 }).not.toContain(victim)
      await harness.target.start(spec, op())
      const now = await healthy(spec)
      expect(now).toHaveLength(2)
      expect(now).not.toContain(victim)
    })

    test('an exit is told to listeners', async () => {
      if (harness.target.onExit === undefined) return
      const spec = group()
      const seen: InstanceId[] = []
      const unwatch = harness.target.onExit((instance) => seen.push(instance))
      try {
        await harness.target.start(spec, op())
        const [victim] = await healthy(spec)
        if (victim === undefined) throw new Error('no instance')
        await harness.kill(victim)
        await expect.poll(() => seen, { timeout: 10_000 }).toContain(victim)
      } finally {
        unwatch()
      }
    })

    test('groups start at the same time', async () => {
      const specs = ['a', 'b', 'c', 'd'].map((service) => group({ service }))
      await Promise.all(specs.map((spec) => harness.target.start(spec, op())))
      const observation = await harness.target.observe(staging, op())
      expect(observation.groups.map(({ id }) => id)).toEqual(specs.map(({ id }) => id).toSorted())
    })

    test('start of a group that never turns healthy rejects and leaves nothing', async () => {
      const spec = group({ behaviour: 'never-healthy' })
      await expectCode(harness.target.start(spec, op()), ['group.unhealthy'])
      expect((await harness.target.observe(staging, op())).groups).toEqual([])
      await harness.target.stop(spec.id, op())
    })

    test('start of a group that dies at once rejects and leaves nothing', async () => {
      const spec = group({ behaviour: 'dies' })
      await expectCode(harness.target.start(spec, op()), ['group.died', 'group.unhealthy'])
      expect((await harness.target.observe(staging, op())).groups).toEqual([])
      await harness.target.stop(spec.id, op())
    })

    test('start replaces an instance that is unhealthy but alive', async () => {
      const spec = group({ replicas: 2 })
      await harness.target.start(spec, op())
      const [first, second] = await healthy(spec)
      await spoilt(spec, first)
      await harness.target.start(spec, op())
      const now = await healthy(spec)
      expect(now).toHaveLength(2)
      expect(now).toContain(second)
      expect(await inState(spec, 'unhealthy')).toEqual([])
    })

    test('start of a stateful group replaces its own unhealthy instance', async () => {
      const spec = group({ service: 'cache', volume: 'data' })
      await harness.target.start(spec, op())
      const [first] = await healthy(spec)
      await spoilt(spec, first)
      await harness.target.start(spec, op())
      const now = await healthy(spec)
      expect(now).toHaveLength(1)
      expect(now).not.toContain(first)
      expect(await inState(spec, 'unhealthy')).toEqual([])
    })

    test('start can be aborted', async () => {
      const spec = group({ behaviour: 'never-healthy' })
      const controller = new AbortController()
      const started = harness.target.start(spec, { signal: controller.signal })
      setTimeout(() => controller.abort(), 50)
      await expect(started).rejects.toBeInstanceOf(BasaltError)
    })

    test('stop ends a start that is under way', async () => {
      const spec = group({ replicas: 2 })
      const started = harness.target.start(spec, op())
      const [start] = await Promise.allSettled([started, harness.target.stop(spec.id, op())])
      expect(start.status === 'rejected' ? start.reason : start.status).toBeInstanceOf(BasaltError)
      expect((await harness.target.observe(staging, op())).groups).toEqual([])
    })

    test('route replaces the whole table in one step', async () => {
      const [one, two] = [group({ version: 'one' }), group({ version: 'two' })]
      await Promise.all([harness.target.start(one, op()), harness.target.start(two, op())])
      const entryPort = await harness.entryPort()
      for (const [generation, spec] of [one, two, one].entries()) {
        const table = httpTable(staging, generation + 1, entryPort, spec)
        await harness.target.route(table, op())
        expect((await harness.target.observe(staging, op())).routes).toEqual(table)
        if (harness.request !== undefined) {
          expect(await harness.request(entryPort, 'localhost', '/')).toBe(spec === one ? 'one' : 'two')
        }
      }
      await harness.target.route(emptyTable(staging), op())
      expect((await harness.target.observe(staging, op())).routes).toBeNull()
      if (harness.request !== undefined) expect(await harness.request(entryPort, 'localhost', '/')).toBeNull()
    })

    test('the longest path wins, on whole segments', async () => {
      const [root, shop] = [
        group({ service: 'root', version: 'root' }),
        group({ service: 'shop', version: 'shop' }),
      ]
      await Promise.all([harness.target.start(root, op()), harness.target.start(shop, op())])
      const entryPort = await harness.entryPort()
      const [first] = httpTable(staging, 1, entryPort, root).entries
      const [second] = httpTable(staging, 1, entryPort, shop, '/shop').entries
      if (first === undefined || second === undefined) throw new Error('no entries')
      await harness.target.route({ environment: staging, generation: 1, entries: [first, second] }, op())
      if (harness.request === undefined) return
      expect(await harness.request(entryPort, 'localhost', '/shop')).toBe('shop')
      expect(await harness.request(entryPort, 'localhost', '/shop/cart?x=1')).toBe('shop')
      expect(await harness.request(entryPort, 'localhost', '/shopping')).toBe('root')
    })

    test('a route that another environment holds is refused', async () => {
      const [ours, theirs] = [group(), group({ environment: production })]
      await Promise.all([harness.target.start(ours, op()), harness.target.start(theirs, op())])
      const entryPort = await harness.entryPort()
      await harness.target.route(httpTable(staging, 1, entryPort, ours), op())
      await expectCode(harness.target.route(httpTable(production, 1, entryPort, theirs), op()), [
        'route.conflict',
      ])
      expect((await harness.target.observe(production, op())).routes).toBeNull()
    })

    test('stop removes a group; stopping the absent is success', async () => {
      const spec = group({ replicas: 2 })
      await harness.target.start(spec, op())
      await harness.target.stop(spec.id, op())
      await harness.target.stop(spec.id, op())
      expect((await harness.target.observe(staging, op())).groups).toEqual([])
    })

    test('a group that is routed to can be stopped, and stays routed to until the next switch', async () => {
      const [old, next] = [
        group({ service: 'cache', version: 'one', volume: 'data' }),
        group({ service: 'cache', version: 'two', volume: 'data' }),
      ]
      await harness.target.start(old, op())
      const entryPort = await harness.entryPort()
      const table = httpTable(staging, 1, entryPort, old)
      await harness.target.route(table, op())
      await harness.target.stop(old.id, op())
      expect(await harness.target.observe(staging, op())).toMatchObject({ groups: [], routes: table })
      await harness.target.start(next, op())
      const moved = httpTable(staging, 2, entryPort, next)
      await harness.target.route(moved, op())
      expect((await harness.target.observe(staging, op())).routes).toEqual(moved)
      if (harness.request !== undefined)
        expect(await harness.request(entryPort, 'localhost', '/')).toBe('two')
    })

    test('stop can keep the oldest instances', async () => {
      const spec = group({ replicas: 1 })
      await harness.target.start(spec, op())
      const oldest = await healthy(spec)
      await harness.target.start({ ...spec, replicas: 3 }, op())
      await harness.target.stop(spec.id, op(), 1)
      expect(await healthy(spec)).toEqual(oldest)
    })

    test('stop keeps those that are well rather than the oldest, and none that is dead', async () => {
      const spec = group({ replicas: 3 })
      await harness.target.start(spec, op())
      const [dead, unwell, well] = await healthy(spec)
      if (dead === undefined) throw new Error('no instance')
      await harness.kill(dead)
      await expect.poll(() => healthy(spec), { timeout: 10_000 }).not.toContain(dead)
      await spoilt(spec, unwell)
      await harness.target.stop(spec.id, op(), 2)
      expect({ well: await healthy(spec), unwell: await inState(spec, 'unhealthy') }).toEqual({
        well: [well],
        unwell: [unwell],
      })
      await harness.target.stop(spec.id, op(), 1)
      expect({ well: await healthy(spec), unwell: await inState(spec, 'unhealthy') }).toEqual({
        well: [well],
        unwell: [],
      })
    })

    test('environments do not see each other', async () => {
      const [ours, theirs] = [group(), group({ environment: production })]
      expect(ours.id).not.toBe(theirs.id)
      await Promise.all([harness.target.start(ours, op()), harness.target.start(theirs, op())])
      await harness.target.stop(ours.id, op())
      expect(await healthy(ours)).toEqual([])
      expect(await healthy(theirs)).toHaveLength(1)
    })

    test('a volume has one writer at a time', async () => {
      const first = group({ service: 'cache', version: 'one', volume: 'data' })
      const second = group({ service: 'cache', version: 'two', volume: 'data' })
      await harness.target.start(first, op())
      await expectCode(harness.target.start(second, op()), ['volume.in-use'])
      await harness.target.stop(first.id, op())
      await harness.target.start(second, op())
      expect(await healthy(second)).toHaveLength(1)
    })

    test('a new server finds everything as it was', async () => {
      const spec = group({ replicas: 2 })
      await harness.target.start(spec, op())
      const table = httpTable(staging, 7, await harness.entryPort(), spec)
      await harness.target.route(table, op())
      const before = await harness.target.observe(staging, op())
      const reopened = await harness.reopen()
      await expect
        .poll(async () => settled(await reopened.observe(staging, op())), { timeout: 10_000 })
        .toEqual(settled(before))
      await reopened.start(spec, op())
      expect(settled(await reopened.observe(staging, op()))).toEqual(settled(before))
    })
  })
}

/** What must be the same after a restart: instances, their states and routes, not the words about them. */
function settled(observation: Awaited<ReturnType<Target['observe']>>): unknown {
  const groups = observation.groups.map(({ id, instances }) => ({
    id,
    instances: instances.map((instance) => ({ id: instance.id, state: instance.state })),
  }))
  return { groups, routes: observation.routes }
}

async function expectCode(promise: Promise<unknown>, codes: readonly ErrorCode[]): Promise<void> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BasaltError)
  expect(codes).toContain((error as BasaltError).code)
}

const emptyTable = (environment: EnvironmentId): RouteTable => ({
  environment,
  generation: null,
  entries: [],
})

const httpTable = (
  environment: EnvironmentId,
  generation: number,
  entryPort: number,
  group: GroupSpec,
  path = '/',
): RouteTable => ({
  environment,
  generation,
  entries: [
    { kind: 'http', entryPort, host: '*', path, group: group.id, port: group.run.ports[0]?.port ?? 0 },
  ],
})
