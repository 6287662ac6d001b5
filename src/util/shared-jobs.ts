import { BasaltError } from '../errors.ts'

/**
 * Work that several callers want at the same time, done once: whoever asks for a key while its job runs gets that
 * job's result. A caller that aborts leaves with `request.interrupted`. The job itself is aborted when nobody waits for it
 * any more; the last one leaves when it has ended, so that nothing is written after somebody was told that it is over.
 */
export interface SharedJobs<Key, Result> {
  run(key: Key, signal: AbortSignal, work: (signal: AbortSignal) => Promise<Result>): Promise<Result>
}

interface Job<Result> {
  readonly result: Promise<Result>
  readonly controller: AbortController
  waiting: number
}

export function createSharedJobs<Key, Result>(): SharedJobs<Key, Result> {
  const jobs = new Map<Key, Job<Result>>()

  const start = (key: Key, work: (signal: AbortSignal) => Promise<Result>): Job<Result> => {
    const controller = new AbortController()
    const result = work(controller.signal)
    const job = { result, controller, waiting: 0 }
    const end = () => {
      if (jobs.get(key) === job) jobs.delete(key)
    }
    result.then(end, end)
    jobs.set(key, job)
    return job
  }

  return {
    run(key, signal, work) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(interrupted(signal))
        const job = jobs.get(key) ?? start(key, work)
        job.waiting++
        const leave = () => {
          if (--job.waiting > 0) return reject(interrupted(signal))
          // Whoever asks from here on must not be given a job that is being aborted.
          jobs.delete(key)
          job.controller.abort(signal.reason)
        }
        signal.addEventListener('abort', leave, { once: true })
        job.result
          .then(
            (result) => (signal.aborted ? reject(interrupted(signal)) : resolve(result)),
            (cause: unknown) => reject(signal.aborted ? interrupted(signal) : cause),
          )
          .finally(() => signal.removeEventListener('abort', leave))
      })
    },
  }
}

const interrupted = (signal: AbortSignal): BasaltError =>
  new BasaltError('request.interrupted', { message: 'the request was interrupted', cause: signal.reason })
