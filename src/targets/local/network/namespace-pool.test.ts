import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAddressNumbers } from '../../host/network/address-numbers.ts'
import { planOf } from '../../host/network/network-plan.ts'
import { createNamespacePool } from './namespace-pool.ts'
import type { NamespaceStock } from './namespace-stock.ts'
import { namespaceOf } from './network-namespace.ts'

const plan = planOf('abcdef', 200)
const op = () => ({ signal: new AbortController().signal })

describe('createNamespacePool', () => {
  let made: number[]
  let removed: string[]
  let broken: boolean
  let number: number
  const stock: NamespaceStock = {
    async make(count) {
      made.push(count)
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (broken) throw new Error('no more')
      return Array.from({ length: count }, () => namespaceOf(plan, ++number))
    },
    async remove(names) {
      removed.push(...names)
    },
    find: async () => ['basalt-abcdef-3', 'basalt-abcdef-4'],
  }
  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  beforeEach(() => {
    vi.useFakeTimers()
    made = []
    removed = []
    broken = false
    number = 10
  })
  afterEach(() => vi.useRealTimers())

  it('makes one batch at a time, and serves together who asks meanwhile', async () => {
    const pool = createNamespacePool(plan, stock)
    const first = pool.take(1, op())
    await passes(5)
    const rest = Promise.all([pool.take(2, op()), pool.take(3, op())])
    await passes(20)
    expect(await first).toHaveLength(1)
    expect((await rest).map(({ length }) => length)).toEqual([2, 3])
    expect(made).toEqual([1, 5])
  })

  it('fills up in a quiet moment, by what the last burst needed, and shrinks slowly', async () => {
    const pool = createNamespacePool(plan, stock)
    pool.take(20, op()).catch(() => {})
    await passes(900)
    expect(made).toEqual([20])
    await passes(200)
    expect(made).toEqual([20, 20])
    expect(await pool.take(20, op())).toHaveLength(20)
    expect(made).toEqual([20, 20])
    await passes(1100)
    await pool.take(1, op())
    await passes(1100)
    // From 20 to 15: nothing to make after one was taken.
    expect(made).toEqual([20, 20, 20])
  })

  it('never gives the same one twice', async () => {
    const pool = createNamespacePool(plan, stock)
    const taken = Promise.all(Array.from({ length: 30 }, (_, index) => pool.take((index % 3) + 1, op())))
    await passes(100)
    const names = (await taken).flat().map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it('tells those who wait when none can be made, and goes on afterwards', async () => {
    const pool = createNamespacePool(plan, stock)
    broken = true
    const failed = pool.take(1, op()).catch((error: unknown) => error)
    await passes(20)
    expect(await failed).toMatchObject({ message: 'no more' })
    broken = false
    const works = pool.take(1, op())
    await passes(20)
    expect(await works).toHaveLength(1)
  })

  it('removes leftovers that nobody uses', async () => {
    const pool = createNamespacePool(plan, stock)
    await pool.adopt(new Set(['basalt-abcdef-4']))
    await passes(1100)
    expect(removed).toEqual(['basalt-abcdef-3'])
  })

  it('removes them at the latest when it closes', async () => {
    const pool = createNamespacePool(plan, stock)
    await pool.adopt(new Set(['basalt-abcdef-4']))
    await pool.close()
    expect(removed).toEqual(['basalt-abcdef-3'])
  })

  it('removes what is ready when it closes, and gives nothing any more', async () => {
    const pool = createNamespacePool(plan, stock)
    pool.take(1, op()).catch(() => {})
    await passes(1100)
    await pool.close()
    expect(removed).toHaveLength(8)
    await expect(pool.take(1, op())).rejects.toMatchObject({ code: 'network.setup-failed' })
  })
})

describe('createAddressNumbers', () => {
  it('skips what is in use, and addresses that end in .0 or .255', () => {
    const numbers = createAddressNumbers({ first: 2, last: 32_766 })
    numbers.use(253)
    numbers.use(257)
    expect([numbers.next(), numbers.next()]).toEqual([258, 259])
  })

  it('comes back to a freed number only after all others', () => {
    const numbers = createAddressNumbers({ first: 2, last: 32_766 })
    const first = numbers.next()
    numbers.free(first)
    const seen = new Set(Array.from({ length: 1000 }, () => numbers.next()))
    expect(seen.has(first)).toBe(false)
    expect([...seen].every((number) => number % 256 !== 0 && number % 256 !== 255)).toBe(true)
  })
})
