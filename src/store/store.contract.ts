import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Op } from '../core/op.ts'
import { verifyConsistency } from '../ledger/merkle-proof.ts'
import type { LedgerEvent, NewEvent, Position, Store, StreamName } from './store.ts'

/** What the suite needs to try an implementation out. */
export interface StoreUnderTest {
  readonly store: Store
  /** Closes the store and opens it again from what it kept; null: it is not durable. */
  readonly reopen: (() => Promise<Store>) | null
  readonly dispose: () => Promise<void>
}

const shop: StreamName = 'system/shop'
const staging: StreamName = 'environment/shop/staging'
const op: Op = { signal: new AbortController().signal }
const event = (n: number): NewEvent => ({ type: 'step-taken', data: { n } })
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const events = (count: number): NewEvent[] => Array.from({ length: count }, (_, index) => event(index + 1))

async function readAll(store: Store, from: Position = 0): Promise<LedgerEvent[]> {
  const read: LedgerEvent[] = []
  for await (const each of store.read(from, op)) read.push(each)
  return read
}

/** The promises of the Store interface, as tests. `create` gets the clock that the store must use. */
export function storeContract(name: string, create: (now: () => number) => Promise<StoreUnderTest>): void {
  let clock: number
  let subject: StoreUnderTest
  let store: Store

  beforeEach(async () => {
    clock = 1_700_000_000_000
    subject = await create(() => clock)
    store = subject.store
  })

  afterEach(async () => {
    await subject.dispose()
  })

  describe(`${name}: append and read`, () => {
    it('starts empty, with the root hash of the empty tree', async () => {
      expect(await readAll(store)).toEqual([])
      expect(await store.head()).toEqual({
        size: 0,
        rootHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      })
      expect(await store.verify(op)).toMatchObject(await store.head())
    })

    it('numbers events by ledger and by stream, without gaps, in the order of the appends', async () => {
      await store.append(shop, 0, events(2))
      await store.append(staging, 0, events(3))
      clock += 5
      const appended = await store.append(shop, 2, events(1))

      expect(appended).toMatchObject({ position: 6, version: 3 })
      expect(
        (await readAll(store)).map(({ position, stream, version, at }) => [position, stream, version, at]),
      ).toEqual([
        [1, shop, 1, 1_700_000_000_000],
        [2, shop, 2, 1_700_000_000_000],
        [3, staging, 1, 1_700_000_000_000],
        [4, staging, 2, 1_700_000_000_000],
        [5, staging, 3, 1_700_000_000_000],
        [6, shop, 3, 1_700_000_000_005],
      ])
    })

    it('resolves with the events as a reader gets them', async () => {
      const first = await store.append(shop, 0, events(2))
      const second = await store.append(staging, 0, events(1))
      expect([...first.events, ...second.events]).toEqual(await readAll(store))
    })

    it('gives back any JSON as it was', async () => {
      const data = [
        { '': null, nested: [[], {}, [1.5e-7, -0.1, 2 ** 53]], text: 'Grüße\u0000\n"\\ 🌍 \u2028' },
        null,
        'text',
        7,
        [],
        JSON.parse('{"__proto__": 1, "constructor": 2}') as unknown,
      ]
      await store.append(
        shop,
        0,
        data.map((each) => ({ type: 'step-taken', data: each })),
      )
      expect((await readAll(store)).map((each) => each.data)).toEqual(data)
    })

    it('keeps data as it was at the call', async () => {
      const data = { n: 1 }
      const appending = store.append(shop, 0, [{ type: 'step-taken', data }])
      data.n = 2
      const { events: stored } = await appending
      expect(stored[0]?.data).toEqual({ n: 1 })
    })

    it('reads what comes after a position', async () => {
      await store.append(shop, 0, events(1200))
      expect((await readAll(store, 1198)).map(({ position }) => position)).toEqual([1199, 1200])
      expect((await readAll(store, 3))[0]?.position).toBe(4)
      expect(await readAll(store, 1200)).toEqual([])
      expect(await readAll(store, 5000)).toEqual([])
    })

    it('reads up to the last event at the time of the call', async () => {
      await store.append(shop, 0, events(2))
      const reading = store.read(0, op)
      await store.append(shop, 2, events(2))
      const read: number[] = []
      for await (const { position } of reading) {
        read.push(position)
        await store.append(staging, position - 1, events(1))
      }
      expect(read).toEqual([1, 2])
    })

    it('lets two readers and a writer work at the same time', async () => {
      await store.append(shop, 0, events(700))
      const [first, second] = await Promise.all([
        readAll(store),
        readAll(store, 600),
        store.append(staging, 0, events(1)),
      ])
      expect([first.length, second.length]).toEqual([700, 100])
    })

    it('stops reading and verifying when the caller aborts', async () => {
      await store.append(shop, 0, events(3))
      const aborted: Op = { signal: AbortSignal.abort() }
      await expect(store.read(0, aborted)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'request.interrupted',
      })
      await expect(store.verify(aborted)).rejects.toMatchObject({ code: 'request.interrupted' })
    })
  })

  describe(`${name}: conflicts`, () => {
    it('rejects a version that the stream does not have, and appends nothing', async () => {
      await store.append(shop, 0, events(2))
      for (const expectedVersion of [0, 1, 3])
        await expect(store.append(shop, expectedVersion, events(2))).rejects.toMatchObject({
          code: 'store.conflict',
          details: { stream: shop, expectedVersion, version: 2 },
        })
      await expect(store.append(staging, 1, events(1))).rejects.toMatchObject({ code: 'store.conflict' })
      expect(await readAll(store)).toHaveLength(2)
      expect((await store.head()).size).toBe(2)
    })

    it('lets exactly one of several writers with the same version win', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, writer) =>
          store.append(shop, 0, [
            { type: 'step-taken', data: { writer, part: 1 } },
            { type: 'step-taken', data: { writer, part: 2 } },
          ]),
        ),
      )
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const winner = results.findIndex(({ status }) => status === 'fulfilled')
      expect((await readAll(store)).map(({ data }) => data)).toEqual([
        { writer: winner, part: 1 },
        { writer: winner, part: 2 },
      ])
    })

    it('decides appends of one moment in their order, each by itself', async () => {
      const results = await Promise.allSettled([
        store.append(shop, 0, events(2)),
        store.append(shop, 1, events(1)),
        store.append(shop, 2, events(1)),
        store.append(staging, 0, events(1)),
        store.append(shop, 2, events(1)),
        store.append(shop, 3, events(1)),
      ])
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
      ])
      expect((await readAll(store)).map(({ stream, version }) => `${stream} ${version}`)).toEqual([
        'system/shop 1',
        'system/shop 2',
        'system/shop 3',
        'environment/shop/staging 1',
        'system/shop 4',
      ])
    })

    it('loses nothing and leaves no gap under many writers that retry', async () => {
      const append = async (writer: number) => {
        const stream: StreamName = `environment/shop/e${writer % 4}`
        for (let version = 0; ; ) {
          const outcome = await store
            .append(stream, version, [event(writer)])
            .catch((error: unknown) => error)
          if (!(outcome instanceof Error)) return
          expect(outcome).toMatchObject({ code: 'store.conflict' })
          version = (outcome as unknown as { details: { version: number } }).details.version
        }
      }
      await Promise.all(Array.from({ length: 60 }, (_, writer) => append(writer)))
      const all = await readAll(store)
      expect(all.map(({ position }) => position)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1))
      const writers = all.map(({ data }) => (data as { n: number }).n)
      expect(writers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index))
      for (const stream of ['e0', 'e1', 'e2', 'e3'])
        expect(
          all.filter((each) => each.stream === `environment/shop/${stream}`).map(({ version }) => version),
        ).toEqual(Array.from({ length: 15 }, (_, index) => index + 1))
    })
  })

  describe(`${name}: input`, () => {
    it.each([
      '',
      'shop',
      'system',
      'system/',
      'system/Shop',
      'system/shop/staging',
      'environment/shop',
      'environment/shop/',
      'environment/shop/staging/web',
      'group/shop',
      'system/shop\n',
      `system/${'a'.repeat(41)}`,
      'toString/x',
    ])('refuses the stream name %j', async (stream) => {
      await expect(store.append(stream as StreamName, 0, events(1))).rejects.toMatchObject({
        code: 'internal.bug',
      })
      expect((await store.head()).size).toBe(0)
    })

    it.each(['', 'Taken', 'step taken', 'step_taken', '-step', 'step-', 'step.taken', 'a'.repeat(65)])(
      'refuses the event type %j, and the events beside it',
      async (type) => {
        await expect(store.append(shop, 0, [event(1), { type, data: {} }])).rejects.toMatchObject({
          code: 'internal.bug',
        })
        expect((await store.head()).size).toBe(0)
      },
    )

    it.each([
      ['undefined', undefined],
      ['an undefined member', { a: undefined }],
      ['a date', new Date(0)],
      ['a map', new Map()],
      ['NaN', Number.NaN],
    ])('refuses %s as data', async (_name, data) => {
      await expect(store.append(shop, 0, [{ type: 'step-taken', data }])).rejects.toMatchObject({
        code: 'internal.bug',
      })
    })

    it('refuses an append without events and versions that are none', async () => {
      await expect(store.append(shop, 0, [])).rejects.toMatchObject({ code: 'internal.bug' })
      for (const version of [-1, 0.5, Number.NaN])
        await expect(store.append(shop, version, events(1))).rejects.toMatchObject({ code: 'internal.bug' })
    })
  })

  describe(`${name}: tree`, () => {
    it('verifies to the head, which changes with every event', async () => {
      const roots = new Set<string>()
      for (let version = 0; version < 20; version++) {
        await store.append(shop, version, events(1))
        const head = await store.head()
        expect(await store.verify(op)).toEqual({ ...head, continues: null })
        expect(head.size).toBe(version + 1)
        roots.add(head.rootHash)
      }
      expect(roots.size).toBe(20)
    })

    it('has a root that depends on the events alone, not on how appends were grouped', async () => {
      await store.append(shop, 0, events(7))
      const other = await create(() => clock)
      try {
        await Promise.all(events(7).map((each, version) => other.store.append(shop, version, [each])))
        expect(await other.store.head()).toEqual(await store.head())
      } finally {
        await other.dispose()
      }
    })

    it('proves that it continues a head of earlier, and only such a one', async () => {
      const kept = [await store.head()]
      for (let version = 0; version < 12; version++) {
        await store.append(shop, version, events(1))
        kept.push(await store.head())
      }
      const { rootHash } = await store.head()
      for (const from of kept) {
        const { continues, ...head } = await store.verify(op, from)
        expect(continues).toMatchObject(from)
        const claim = { oldSize: from.size, oldRoot: hex(from.rootHash), size: 12, root: hex(rootHash) }
        expect(verifyConsistency({ ...claim, proof: continues?.proof.map(hex) ?? [] })).toBe(true)
        expect(head).toEqual({ size: 12, rootHash })
        await expect(store.verify(op, { ...from, rootHash: 'ab'.repeat(32) })).rejects.toMatchObject({
          code: 'ledger.tampered',
          details: { position: null },
        })
      }
      await expect(store.verify(op, { size: 13, rootHash })).rejects.toMatchObject({
        code: 'ledger.tampered',
        details: { position: 13 },
      })
    })

    it('verifies while appends go on', async () => {
      await store.append(shop, 0, events(1500))
      const before = await store.head()
      const verifying = store.verify(op)
      for (let version = 0; version < 10; version++) await store.append(staging, version, events(1))
      expect(await verifying).toMatchObject(before)
      expect(await store.verify(op)).toMatchObject(await store.head())
    })
  })

  describe(`${name}: closing`, () => {
    it('keeps what was appended before close, and takes nothing after it', async () => {
      const last = store.append(shop, 0, events(1))
      await store.close()
      expect((await last).position).toBe(1)
      await expect(store.append(shop, 1, events(1))).rejects.toMatchObject({ code: 'store.unavailable' })
      await expect(store.head()).rejects.toMatchObject({ code: 'store.unavailable' })
      await store.close()
    })

    it('goes on after it was reopened', async (ctx) => {
      if (subject.reopen === null) return ctx.skip(`${name} is not durable`)
      for (const size of [1, 2, 3, 6, 7, 8, 13]) {
        const { size: have } = await store.head()
        await store.append(shop, have, events(size - have))
        const before = { head: await store.head(), events: await readAll(store) }
        store = await subject.reopen()
        expect({ head: await store.head(), events: await readAll(store) }).toEqual(before)
        expect(await store.verify(op)).toMatchObject(before.head)
        await expect(store.append(shop, size - 1, events(1))).rejects.toMatchObject({
          code: 'store.conflict',
        })
      }
    })
  })
}
