export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: Error }

export interface GroupCommit<Request, Result> {
  submit(request: Request): Promise<Result>
  /** Commits at once what waits. */
  flush(): void
}

/**
 * Collects the requests of one turn of the event loop and commits them together, so that they share one fsync.
 * A lone request waits for no timer: it is committed as soon as the current turn ends.
 *
 * `commit` must not throw; it gives one outcome for each request, in their order.
 */
export function createGroupCommit<Request, Result>(
  commit: (requests: readonly Request[]) => readonly Outcome<Result>[],
): GroupCommit<Request, Result> {
  let waiting: { readonly request: Request; readonly settle: (outcome: Outcome<Result>) => void }[] = []

  const flush = (): void => {
    const batch = waiting
    waiting = []
    if (batch.length === 0) return
    const outcomes = commit(batch.map(({ request }) => request))
    for (const [index, outcome] of outcomes.entries()) batch[index]?.settle(outcome)
  }

  return {
    flush,
    submit(request) {
      return new Promise((resolve, reject) => {
        const settle = (outcome: Outcome<Result>): void => {
          if (outcome.ok) resolve(outcome.value)
          else reject(outcome.error)
        }
        if (waiting.push({ request, settle }) === 1) setImmediate(flush)
      })
    },
  }
}
