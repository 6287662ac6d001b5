import type { RouterContext } from './router-context.ts'

interface Waiting<Request, Result> {
  readonly request: Request
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Requests of one kind that come together, or while the router is busy with others, are done together: with one
 * record and few round trips. `work` does all of them or none, and answers in their order. If it fails then each is
 * tried alone, so that none fails for another's reason.
 */
export function createBatch<Request, Result>(
  { exclusively }: Pick<RouterContext, 'exclusively'>,
  work: (requests: readonly Request[]) => Promise<readonly Result[]>,
): (request: Request) => Promise<Result> {
  const waiting: Waiting<Request, Result>[] = []

  const attempt = async (batch: readonly Waiting<Request, Result>[]): Promise<void> => {
    const results = await work(batch.map(({ request }) => request))
    for (const [index, result] of results.entries()) batch[index]?.resolve(result)
  }
  const doWaiting = async (): Promise<void> => {
    const batch = waiting.splice(0)
    if (
      batch.length > 1 &&
      (await attempt(batch).then(
        () => true,
        () => false,
      ))
    )
      return
    for (const each of batch) await attempt([each]).catch(each.reject)
  }
  return (request) =>
    new Promise((resolve, reject) => {
      const own = { request, resolve, reject }
      waiting.push(own)
      exclusively(doWaiting).catch((error: unknown) => {
        // Nothing was begun. Whoever was served with an earlier batch does not mind.
        if (waiting.includes(own)) waiting.splice(waiting.indexOf(own), 1)
        reject(error)
      })
    })
}
