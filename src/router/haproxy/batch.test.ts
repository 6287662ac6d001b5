import { describe, expect, it } from 'vitest'
import { createMutex } from '../../util/mutex.ts'
import { createBatch } from './batch.ts'

describe('a batch', () => {
  const mutex = createMutex()
  const exclusively = <Result>(task: () => Promise<Result>) => mutex.run(task)

  it('does together what came while others were busy, and answers each', async () => {
    const done: (readonly number[])[] = []
    const double = createBatch({ exclusively }, async (numbers: readonly number[]) => {
      done.push(numbers)
      return numbers.map((number) => 2 * number)
    })
    const busy = Promise.withResolvers<void>()
    const before = exclusively(() => busy.promise)
    const answers = Promise.all([1, 2, 3].map(double))
    busy.resolve()
    await before
    expect(await answers).toEqual([2, 4, 6])
    expect(await double(4)).toBe(8)
    expect(done).toEqual([[1, 2, 3], [4]])
  })

  it('lets nobody fail for the reason of another', async () => {
    const inverse = createBatch({ exclusively }, async (numbers: readonly number[]) => {
      if (numbers.includes(0)) throw new Error('no inverse of 0')
      return numbers.map((number) => 1 / number)
    })
    expect(await Promise.allSettled([1, 0, 2].map(inverse))).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: new Error('no inverse of 0') },
      { status: 'fulfilled', value: 0.5 },
    ])
  })

  it('tells each who waits that it could not begin', async () => {
    let broken = true
    const echo = createBatch(
      { exclusively: (task) => mutex.run(() => (broken ? Promise.reject(new Error('gone')) : task())) },
      async (words: readonly string[]) => words,
    )
    const outcomes = await Promise.allSettled(['a', 'b'].map(echo))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    broken = false
    expect(await echo('c')).toBe('c')
  })
})
