import type { HealthCheck } from '../../../core/system.ts'
import type { Probe } from './probe.ts'

export interface Health {
  readonly state: 'starting' | 'healthy' | 'unhealthy'
  /** The last failed check, for people; null when there is none. */
  readonly problem: string | null
}

export interface HealthWatch {
  current(): Health
  /** Resolves when the first check after this watch began has been answered, or the watch ended. */
  readonly firstVerdict: Promise<void>
  stop(): void
}

export interface HealthWatchOptions {
  readonly check: HealthCheck
  readonly probe: Probe
  /** Milliseconds since the epoch, only to ask many instances at the same moment. */
  readonly now: () => number
  /** Milliseconds since the instance was started, by a clock that nobody sets: `startMs` counts from then. */
  readonly ageMs: () => number
  /** It was healthy once before: it gets its `retries`, not a new start. */
  readonly provenHealthy: boolean
  /** Called whenever the state changes. */
  readonly onChange: (health: Health) => void
}

/** An instance that starts is asked quickly at first, since most answer within milliseconds or after long. */
const firstDelayMs = 4
const delayGrowth = 1.3
const longestStartDelayMs = 100
/** Checks that fall due together wake the server once: done in a row they cost half as much as apart. */
const gridMs = 500

/**
 * Follows one instance's health: `starting` until the first good answer, `unhealthy` when that does not come
 * within `startMs` or after `retries` bad answers in a row, `healthy` again with the next good one.
 */
export function watchHealth(options: HealthWatchOptions): HealthWatch {
  const { check, now, ageMs } = options
  let health: Health = { state: 'starting', problem: null }
  let failures = 0
  let delayMs = firstDelayMs
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const first = Promise.withResolvers<void>()

  function become(next: Health): void {
    const changed = next.state !== health.state
    health = next
    if (changed) options.onChange(next)
  }

  function judge(problem: string | null): void {
    if (problem === null) {
      failures = 0
      return become({ state: 'healthy', problem: null })
    }
    failures++
    const mayStillStart = !options.provenHealthy && health.state === 'starting'
    const patience = mayStillStart ? ageMs() < check.startMs : failures < check.retries
    become({ state: patience ? health.state : 'unhealthy', problem })
  }

  async function ask(): Promise<void> {
    const problem = await options.probe()
    if (stopped) return
    judge(problem)
    first.resolve()
    schedule()
  }

  function schedule(): void {
    timer = setTimeout(() => void ask(), nextDelay())
  }

  function nextDelay(): number {
    if (health.state !== 'starting') return onGrid(check.intervalMs, now())
    const delay = delayMs
    delayMs = Math.min(longestStartDelayMs, delayMs * delayGrowth)
    return options.provenHealthy ? delay : Math.max(0, Math.min(delay, check.startMs - ageMs()))
  }

  // Without a port to ask, having run for one interval is the answer.
  if (check.kind === 'running' && !options.provenHealthy)
    timer = setTimeout(() => void ask(), Math.max(0, check.intervalMs - ageMs()))
  else void ask()

  return {
    current: () => health,
    firstVerdict: first.promise,
    stop() {
      stopped = true
      clearTimeout(timer)
      first.resolve()
    },
  }
}

const onGrid = (intervalMs: number, nowMs: number): number =>
  intervalMs < 2 * gridMs ? intervalMs : Math.round((nowMs + intervalMs) / gridMs) * gridMs - nowMs
