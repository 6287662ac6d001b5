import { expect, it } from 'vitest'
import { onceSucceeded } from './once-succeeded.ts'

it('calls once for all who ask, and again only after a failure', async () => {
  const calls: number[] = []
  const shared = onceSucceeded(async () => {
    calls.push(calls.length)
    if (calls.length === 1) throw new Error('not yet')
    return calls.length
  })
  const first = await Promise.allSettled([shared(), shared()])
  expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await Promise.all([shared(), shared()])).toEqual([2, 2])
  expect(await shared()).toBe(2)
  expect(calls).toHaveLength(2)
})
