import type { IncomingHttpHeaders } from 'node:http'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { HttpAnswer } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { failed, isUntrusted, refusalIn, unreachable } from './registry-error.ts'
import { isPassing, mayPass, waitMs } from './retry-wait.ts'

export interface Exchange {
  readonly answer: HttpAnswer
  /** From the registry itself, not from where it redirected to. */
  readonly isOwn: boolean
}

export interface Retrier {
  /** Until there is an answer that is not to pass by itself; `once`: the first one, whatever it is. */
  persist(exchange: () => Promise<Exchange>, once?: boolean): Promise<HttpAnswer>
  /**
   * Waits before another attempt after so many failures in a row, as long as the headers of an answer ask for; rejects
   * with the failure when it was the last.
   */
  pause(failures: number, failure: unknown, headers?: IncomingHttpHeaders): Promise<void>
}

export interface RetrierPorts {
  /** Rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function createRetrier(registry: string, what: string, ports: RetrierPorts, op: Op): Retrier {
  let hasAnswered = false

  const pause: Retrier['pause'] = async (failures, failure, headers = {}) => {
    const ms = waitMs(failures, headers, ports.now())
    if (ms === null) throw failure
    const reason = failure instanceof BasaltError ? failure.message : String(failure)
    op.notify?.({
      code: 'registry.retry',
      message: `${reason}; again in ${Math.ceil(ms / 1000)} s`,
      data: { registry, failures },
    })
    await ports.sleep(ms, op.signal).catch(() => {
      throw interrupted(what, op)
    })
  }

  const attempt = async (exchange: () => Promise<Exchange>, once: boolean) => {
    try {
      const { answer, isOwn } = await exchange()
      hasAnswered = true
      // Another host gave its address for a while only, and is asked for a new one by way of the registry.
      if (once || (!isPassing(answer.status) && (isOwn || answer.status < 400))) return { answer }
      const reason = refusalIn(await readRemark(answer))
      const fact = `answered ${answer.status}${reason === null ? '' : `: ${reason}`}`
      return { failure: failed(registry, what, fact), headers: answer.headers }
    } catch (cause) {
      if (op.signal.aborted) throw interrupted(what, op)
      if (cause instanceof BasaltError) throw cause
      const failure = unreachable(registry, what, cause)
      if (once || isUntrusted(cause) || !mayPass(cause, hasAnswered)) throw failure
      return { failure, headers: {} }
    }
  }

  return {
    pause,
    async persist(exchange, once = false) {
      for (let failures = 1; ; failures++) {
        const outcome = await attempt(exchange, once)
        if (outcome.answer !== undefined) return outcome.answer
        await pause(failures, outcome.failure, outcome.headers)
      }
    },
  }
}

const interrupted = (what: string, { signal }: Op): BasaltError =>
  new BasaltError('request.interrupted', { message: `${what}: interrupted`, cause: signal.reason })
