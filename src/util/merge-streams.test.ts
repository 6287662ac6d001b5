import { describe, expect, it } from 'vitest'
import { mergeStreams } from './merge-streams.ts'

const never = new AbortController().signal

async function* from<Value>(...values: (Value | Promise<Value>)[]): AsyncGenerator<Value> {
  for (const value of values) yield await value
}

async function all<Item>(streams: AsyncIterable<AsyncIterable<Item>>, signal = never): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of mergeStreams(streams, signal)) items.push(item)
  return items
}

describe('mergeStreams', () => {
  it('gives all items of all streams, those of one in their order', async () => {
    const items = await all(from<AsyncIterable<number>>(from(1, 2, 3), from<number>(), from(10, 20)))
    expect(items.filter((item) => item < 10)).toEqual([1, 2, 3])
    expect(items.filter((item) => item >= 10)).toEqual([10, 20])
    expect(await all(from<AsyncIterable<number>>())).toEqual([])
  })

  it('gives what comes first, also from a stream that comes while others wait', async () => {
    const slow = Promise.withResolvers<string>()
    const late = Promise.withResolvers<AsyncIterable<string>>()
    const merged = mergeStreams(from<AsyncIterable<string>>(from(slow.promise), late.promise), never)
    const first = merged.next()
    late.resolve(from('late'))
    expect(await first).toMatchObject({ value: 'late' })
    slow.resolve('slow')
    expect(await merged.next()).toMatchObject({ value: 'slow' })
    expect(await merged.next()).toMatchObject({ done: true })
  })

  it('asks a stream for no more than is taken', async () => {
    let asked = 0
    async function* counting(): AsyncGenerator<number> {
      for (;;) yield asked++
    }
    const merged = mergeStreams(from(counting()), never)
    for (let taken = 0; taken < 5; taken++) await merged.next()
    expect(asked).toBeLessThanOrEqual(6)
    await merged.return(undefined)
  })

  it('fails when a stream or the source fails', async () => {
    const broken = Promise.reject(new Error('broken'))
    broken.catch(() => {})
    await expect(all(from(from(1), from<number>(broken)))).rejects.toThrow('broken')
    await expect(all(from<AsyncIterable<number>>(broken))).rejects.toThrow('broken')
  })

  it('ends on the signal, although nothing more comes', async () => {
    const controller = new AbortController()
    const merging = all(from(from(new Promise<number>(() => {}))), controller.signal)
    controller.abort()
    expect(await merging).toEqual([])
  })

  it('ends its streams when it is left', async () => {
    let ended = false
    async function* endless(): AsyncGenerator<number> {
      try {
        for (;;) yield 1
      } finally {
        ended = true
      }
    }
    for await (const item of mergeStreams(from(endless()), never)) if (item === 1) break
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(true)
  })
})
