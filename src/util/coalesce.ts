/**
 * Shares one run of `work` among all callers that asked before it began: what a caller did before its call is
 * covered by the run that it awaits. Runs never overlap. A failed run rejects for those who awaited it.
 */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve()
  let waiting: Promise<void> | undefined
  return () => {
    waiting ??= running
      .catch(() => undefined)
      .then(() => {
        waiting = undefined
        return work()
      })
    running = waiting
    return waiting
  }
}
