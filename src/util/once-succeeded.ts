/** Shares one call's result with all callers, from the first on; after a failure the next caller tries again. */
export function onceSucceeded<Result>(call: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<Result> | undefined
  return () =>
    (running ??= call().catch((error: unknown) => {
      running = undefined
      throw error
    }))
}
