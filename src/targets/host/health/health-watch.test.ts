import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HealthCheck } from '../../../core/system.ts'
import { type Health, type HealthWatch, watchHealth } from './health-watch.ts'

const timing = { intervalMs: 400, timeoutMs: 200, startMs: 1000, retries: 3 }
const check: HealthCheck = { kind: 'tcp', port: 80, ...timing }

describe('watchHealth', () => {
  let answer: string | null
  let asked: number
  let seen: Health['state'][]
  let watch: HealthWatch

  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 })
    answer = 'connection refused'
    asked = 0
    seen = []
  })
  afterEach(() => {
    watch.stop()
    vi.useRealTimers()
  })

  const begin = (options: { check?: HealthCheck; provenHealthy?: boolean } = {}) => {
    const begun = Date.now()
    watch = watchHealth({
      check: options.check ?? check,
      probe: async () => {
        asked++
        return answer
      },
      now: Date.now,
      ageMs: () => Date.now() - begun,
      provenHealthy: options.provenHealthy ?? false,
      onChange: ({ state }) => seen.push(state),
    })
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  it('is healthy with the first good answer, soon after it could be given', async () => {
    begin()
    await pass(50)
    expect(watch.current()).toEqual({ state: 'starting', problem: 'connection refused' })
    answer = null
    await pass(20)
    expect(watch.current()).toEqual({ state: 'healthy', problem: null })
  })

  it('is unhealthy when the time to start is over, with the last problem', async () => {
    begin()
    await pass(990)
    expect(watch.current().state).toBe('starting')
    await pass(20)
    expect(watch.current()).toEqual({ state: 'unhealthy', problem: 'connection refused' })
  })

  it('asks at the interval once it is healthy', async () => {
    answer = null
    begin()
    await pass(0)
    asked = 0
    await pass(4000)
    expect(asked).toBe(10)
  })

  it('forgives flapping below the retries, and no more', async () => {
    answer = null
    begin()
    await pass(0)
    answer = 'GET /up gave 500'
    await pass(800)
    expect(watch.current()).toEqual({ state: 'healthy', problem: 'GET /up gave 500' })
    answer = null
    await pass(400)
    answer = 'GET /up gave 500'
    await pass(1200)
    expect(watch.current().state).toBe('unhealthy')
    answer = null
    await pass(400)
    expect(seen).toEqual(['healthy', 'unhealthy', 'healthy'])
  })

  it('gives an adopted instance its retries, not a new start', async () => {
    begin({ provenHealthy: true })
    await pass(900)
    expect(watch.current().state).toBe('unhealthy')
  })

  it('takes an instance without a port as healthy once it has run for an interval', async () => {
    answer = null
    begin({ check: { kind: 'running', ...timing } })
    await pass(399)
    expect(watch.current().state).toBe('starting')
    await pass(1)
    expect(watch.current().state).toBe('healthy')
  })

  it('asks no more after it was stopped, and lets nobody wait', async () => {
    begin()
    watch.stop()
    asked = 0
    await pass(5000)
    expect(asked).toBe(0)
    await watch.firstVerdict
  })
})
