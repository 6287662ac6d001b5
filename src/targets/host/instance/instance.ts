import type { GroupSpec } from '../../../core/generation.ts'
import type { InstanceId } from '../../../core/ids.ts'
import type { ObservedInstance } from '../../../core/observation.ts'
import { createMutex, type Mutex } from '../../../util/mutex.ts'
import type { HealthWatch } from '../health/health-watch.ts'

/** How an instance ended; the code is null when nobody was left to note it. */
export interface InstanceEnd {
  readonly exitCode: number | null
  readonly at: number
}

/** What is known of an instance from its making on. */
export interface InstanceFacts {
  readonly instance: InstanceId
  readonly group: GroupSpec
  /** IPv4 address. */
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** It was healthy once: a first failed check after an adoption is then not a failed start. */
  readonly provenHealthy: boolean
}

/** One running copy as this server knows it. What is really so is asked from the machine by `observe`. */
export interface Instance {
  readonly id: InstanceId
  record: InstanceFacts
  health: HealthWatch | null
  end: InstanceEnd | null
  /** It is being stopped: its end is no surprise. */
  stopping: boolean
  /** The router was told to let it have traffic; what is really so is asked from the router by `observe`. */
  hasTraffic: boolean
  /** Held while the router is told. */
  readonly trafficMutex: Mutex
  /** Called, and emptied, whenever something of the above changes. */
  readonly waiters: Set<() => void>
}

export const createInstance = <Facts extends InstanceFacts>(record: Facts): Instance & { record: Facts } => ({
  id: record.instance,
  record,
  health: null,
  end: null,
  stopping: false,
  hasTraffic: false,
  trafficMutex: createMutex(),
  waiters: new Set(),
})

/** Wakes everybody who waits for this instance. */
export function changed(instance: Instance): void {
  const waiters = [...instance.waiters]
  instance.waiters.clear()
  for (const wake of waiters) wake()
}

/** Resolves with the first value that is not undefined; rejects with the signal's reason on abort. */
export async function waitFor<Value>(
  instance: Instance,
  signal: AbortSignal,
  look: () => Value | undefined,
): Promise<Value> {
  for (;;) {
    signal.throwIfAborted()
    const found = look()
    if (found !== undefined) return found
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake)
        instance.waiters.delete(wake)
        resolve()
      }
      instance.waiters.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}

export const isAlive = (instance: Instance): boolean => instance.end === null
export const isHealthy = (instance: Instance): boolean =>
  isAlive(instance) && instance.health?.current().state === 'healthy'

/** Healthy is who answers its checks and can be reached. */
export function observed(instance: Instance, isInTraffic: boolean): ObservedInstance {
  const { id, record, end } = instance
  const checked = instance.health?.current() ?? { state: 'starting' as const, problem: null }
  const health = checked.state !== 'healthy' || isInTraffic ? checked : withoutTraffic
  return {
    id,
    state: end === null ? health.state : 'exited',
    exitCode: end?.exitCode ?? null,
    startedAt: record.startedAt,
    problem: end === null ? health.problem : endText(record.startedAt, end),
  }
}

const withoutTraffic = { state: 'starting', problem: 'the router gives it no traffic' } as const

export function endText(startedAt: number, { exitCode, at }: InstanceEnd): string {
  const after = `after ${secondsText(at - startedAt)}`
  if (exitCode === null) return `ended ${after}; nobody was left to note the exit code`
  if (exitCode === 137) return `killed (exit code 137: SIGKILL, by the memory limit or from outside) ${after}`
  return `ended with exit code ${exitCode} ${after}`
}

const secondsText = (ms: number): string =>
  `${ms < 10_000 ? Math.max(0, ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`
