import { describe, expect, it } from 'vitest'
import { createSharedJobs } from './shared-jobs.ts'

const never = new AbortController().signal

/** Work that ends when told to, or fails when its signal aborts. */
function controllableWork() {
  const runs: { finish: (result: string) => void; signal: AbortSignal }[] = []
  const work = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      runs.push({ finish: resolve, signal })
      signal.addEventListener('abort', () => reject(new Error('stopped')))
    })
  return { runs, work }
}

describe('createSharedJobs', () => {
  it('does the work once for all who ask meanwhile, and again for those who ask later', async () => {
    const { runs, work } = controllableWork()
    const jobs = createSharedJobs<string, string>()
    const all = [jobs.run('a', never, work), jobs.run('a', never, work), jobs.run('b', never, work)]
    expect(runs.length).toBe(2)
    runs[0]?.finish('first')
    runs[1]?.finish('other')
    expect(await Promise.all(all)).toEqual(['first', 'first', 'other'])
    const again = jobs.run('a', never, work)
    expect(runs.length).toBe(3)
    runs[2]?.finish('second')
    expect(await again).toBe('second')
  })

  it('passes a failure to all, and forgets it', async () => {
    const jobs = createSharedJobs<string, string>()
    const fail = () => Promise.reject(new Error('broken'))
    const all = [jobs.run('a', never, fail), jobs.run('a', never, fail)]
    for (const one of all) await expect(one).rejects.toThrow('broken')
    expect(await jobs.run('a', never, async () => 'fine')).toBe('fine')
  })

  it('goes on while somebody waits, and stops when nobody does', async () => {
    const { runs, work } = controllableWork()
    const jobs = createSharedJobs<string, string>()
    const [first, second] = [new AbortController(), new AbortController()]
    const left = [jobs.run('a', first.signal, work), jobs.run('a', second.signal, work)]
    first.abort(new Error('gone'))
    await expect(left[0]).rejects.toMatchObject({ code: 'request.interrupted' })
    expect(runs[0]?.signal.aborted).toBe(false)
    second.abort(new Error('gone too'))
    await expect(left[1]).rejects.toMatchObject({ code: 'request.interrupted' })
    expect(runs[0]?.signal.aborted).toBe(true)
    // Whoever asks now must not get the job that is being stopped.
    const later = jobs.run('a', never, work)
    runs[1]?.finish('fresh')
    expect(await later).toBe('fresh')
  })

  it('lets the last one leave when the work has ended, whatever came of it', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const work = Promise.withResolvers<string>()
      const jobs = createSharedJobs<string, string>()
      const leaving = new AbortController()
      let left = false
      const run = jobs
        .run('a', leaving.signal, () => work.promise)
        .finally(() => {
          left = true
        })
      leaving.abort(new Error('gone'))
      await new Promise(setImmediate)
      expect(left).toBe(false)
      work[end]('written')
      await expect(run).rejects.toMatchObject({ code: 'request.interrupted' })
    }
  })
})
