import { setTimeout as sleep } from 'node:timers/promises'
import { BasaltError } from '../errors.ts'

/** Something of the host that Basalt set and that other programs may change. */
export interface HostSetting {
  /** For messages: "the nftables table x". */
  readonly name: string
  readonly isInForce: () => Promise<boolean>
  /** Sets it again. */
  readonly restore: () => Promise<unknown>
  /** What is reported once it is set again. */
  readonly lost: () => BasaltError
  /** Told of every loss, and of the first of several failures in a row. */
  readonly report: (error: BasaltError) => void
}

/** A look may be one short process, which costs a server of a hundred megabytes ten milliseconds. */
const intervalMs = 15_000

/**
 * Sets it again when another program changed it. Returns the way to end that, which resolves when nothing is under way
 * any more.
 */
export function watchHostSetting(setting: HostSetting): () => Promise<void> {
  const ended = new AbortController()
  let failing = false

  const look = async (): Promise<void> => {
    try {
      if (!(await setting.isInForce())) {
        await setting.restore()
        setting.report(setting.lost())
      }
      failing = false
    } catch (cause) {
      if (!failing) setting.report(notRestored(setting.name, cause))
      failing = true
    }
  }
  const watching = (async () => {
    while (await pause(ended.signal)) await look()
  })()
  return async () => {
    ended.abort()
    await watching
  }
}

/** False when it was cut short. */
const pause = (signal: AbortSignal): Promise<boolean> =>
  sleep(intervalMs, true, { signal, ref: false }).catch(() => false)

const notRestored = (name: string, cause: unknown): BasaltError =>
  cause instanceof BasaltError
    ? cause
    : new BasaltError('network.setup-failed', {
        message: `${name} could not be set again: ${String(cause)}`,
        cause,
      })
