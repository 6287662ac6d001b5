import { describe, expect, it } from 'vitest'
import { coalesce } from './coalesce.ts'

function gatedWork() {
  const gates: { open: () => void; fail: (error: Error) => void }[] = []
  const work = () => new Promise<void>((open, fail) => gates.push({ open, fail }))
  return { gates, work }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('coalesce', () => {
  it('shares one following run among all who ask while one is under way', async () => {
    const { gates, work } = gatedWork()
    const run = coalesce(work)
    const first = run()
    await settled()
    const followers = [run(), run(), run()]
    await settled()
    expect(gates.length).toBe(1)
    gates[0]?.open()
    await first
    await settled()
    expect(gates.length).toBe(2)
    gates[1]?.open()
    await Promise.all(followers)
    expect(gates.length).toBe(2)
  })

  it('does not let one failure reach those who asked later', async () => {
    const { gates, work } = gatedWork()
    const run = coalesce(work)
    const first = run()
    await settled()
    const second = run()
    gates[0]?.fail(new Error('broken'))
    await expect(first).rejects.toThrow('broken')
    await settled()
    gates[1]?.open()
    await second
  })
})
