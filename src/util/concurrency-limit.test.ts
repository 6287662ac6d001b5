import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createConcurrencyLimit } from './concurrency-limit.ts'

describe('createConcurrencyLimit', () => {
  it('never runs more than allowed, keeps the order, and survives failures', async () => {
    const limit = createConcurrencyLimit(2)
    const started: number[] = []
    let running = 0
    let most = 0
    const task = (number: number) => async () => {
      started.push(number)
      most = Math.max(most, ++running)
      await turn()
      running--
      if (number === 1) throw new Error('broken')
      return number
    }
    const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map((number) => limit(task(number))))
    expect(most).toBe(2)
    expect(started).toEqual([0, 1, 2, 3, 4, 5])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ])
  })
})
