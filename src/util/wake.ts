import { setTimeout as sleep } from 'node:timers/promises'

/** Lets one loop sleep until a time or until somebody nudges it. A nudge before the sleep is not lost. */
export interface Wake {
  nudge(): void
  /** Resolves after `ms` milliseconds, on a nudge, or when the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export function createWake(): Wake {
  let nudged = false
  let interrupt: (() => void) | null = null
  return {
    nudge() {
      nudged = true
      interrupt?.()
    },
    async sleep(ms, signal) {
      if (!nudged && !signal.aborted) {
        const timer = new AbortController()
        interrupt = () => timer.abort()
        const either = AbortSignal.any([timer.signal, signal])
        await sleep(ms, undefined, { signal: either }).catch(() => {})
        interrupt = null
      }
      nudged = false
    },
  }
}
