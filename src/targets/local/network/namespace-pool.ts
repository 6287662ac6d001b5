import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { NetworkPlan } from '../../host/network/network-plan.ts'
import { createNamespaceStock, type NamespaceStock } from './namespace-stock.ts'
import type { NetworkNamespace } from './network-namespace.ts'

/** Network namespaces made beforehand, because making one costs half as much as starting the instance. */
export interface NamespacePool {
  /** Rejects with `network.setup-failed`. */
  take(count: number, op: Op): Promise<readonly NetworkNamespace[]>
  /** That many will be taken soon: makes them ready in the background, as far as the pool is to grow. */
  foresee(count: number): void
  /** Removes namespaces for good: none is ever used twice. */
  remove(names: readonly string[]): Promise<void>
  /** Tells which namespaces of this home are in use; all others are leftovers and are removed. */
  adopt(inUse: ReadonlySet<string>): Promise<void>
  /** Makes no more and removes what is ready. */
  close(): Promise<void>
}

interface Waiter {
  readonly count: number
  readonly resolve: (namespaces: readonly NetworkNamespace[]) => void
  readonly reject: (error: Error) => void
}

const smallestReserve = 8
const largestReserve = 64
/** Refilling waits for a quiet moment, so as not to compete with the starts that emptied the pool. */
const quietMs = 1000

export function createNamespacePool(
  plan: NetworkPlan,
  stock: NamespaceStock = createNamespaceStock(plan),
): NamespacePool {
  const reserve = createReserve(stock)
  let burst = 0
  let size = smallestReserve
  let refill: NodeJS.Timeout | undefined
  /** Of an earlier server. Nobody waits for them to go; `close` does. */
  let leftovers: readonly string[] = []
  let closed = false

  function refillWhenQuiet(): void {
    clearTimeout(refill)
    refill = setTimeout(() => {
      // What one deploy needed the next one will need again; a smaller one lowers it step by step.
      size = Math.min(largestReserve, Math.max(smallestReserve, burst, Math.floor(size * 0.75)))
      burst = 0
      stock.remove(leftovers).catch(() => {})
      leftovers = []
      reserve.fill(size)
    }, quietMs)
    refill.unref()
  }

  return {
    async take(count, op) {
      op.signal.throwIfAborted()
      if (closed) throw poolClosed()
      burst += count
      refillWhenQuiet()
      return reserve.take(count)
    },
    foresee: (count) => reserve.fill(Math.min(largestReserve, Math.max(size, count))),
    remove: (names) => stock.remove(names),
    async adopt(inUse) {
      leftovers = (await stock.find()).filter((name) => !inUse.has(name))
      refillWhenQuiet()
    },
    async close() {
      closed = true
      clearTimeout(refill)
      await stock.remove([...leftovers, ...(await reserve.drain()).map(({ name }) => name)])
    },
  }
}

interface Reserve {
  take(count: number): Promise<readonly NetworkNamespace[]>
  /** Makes ready what is missing, in the background. */
  fill(size: number): void
  /** Waits until nothing is being made and gives up what is ready. */
  drain(): Promise<readonly NetworkNamespace[]>
}

/** One batch is made at a time; whoever asks meanwhile is served together by the next. */
function createReserve(stock: NamespaceStock): Reserve {
  const ready: NetworkNamespace[] = []
  const waiters: Waiter[] = []
  let wantedReady = 0
  let producing: Promise<void> | null = null

  const missing = (): number =>
    waiters.reduce((sum, { count }) => sum + count, 0) + wantedReady - ready.length

  function serve(): void {
    while (waiters[0] !== undefined && waiters[0].count <= ready.length) {
      const waiter = waiters.shift()
      waiter?.resolve(ready.splice(0, waiter.count))
    }
  }

  async function produce(): Promise<void> {
    for (let count = missing(); count > 0; count = missing()) {
      const served = [...waiters]
      // A refill that is under way is finished; after it, starts go before further reserves.
      wantedReady = 0
      try {
        ready.push(...(await stock.make(count)))
      } catch (error) {
        for (const waiter of served) waiters.splice(waiters.indexOf(waiter), 1)
        for (const waiter of served) waiter.reject(error as Error)
      }
      serve()
    }
  }

  const start = (): void => {
    producing ??= produce().finally(() => {
      producing = null
      if (waiters.length > 0) start()
    })
  }

  return {
    take: (count) =>
      new Promise((resolve, reject) => {
        waiters.push({ count, resolve, reject })
        serve()
        if (waiters.length > 0) start()
      }),
    fill(size) {
      wantedReady = size
      start()
    },
    async drain() {
      wantedReady = 0
      await producing
      return ready.splice(0)
    },
  }
}

const poolClosed = (): BasaltError =>
  new BasaltError('network.setup-failed', { message: 'the network of this Basalt is being removed' })
