/** Runs at most `limit` tasks at a time, in the order in which they came. */
export function createConcurrencyLimit(
  limit: number,
): <Result>(task: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = []
  let running = 0

  const acquire = (): Promise<void> | undefined => {
    if (running < limit) {
      running++
      return undefined
    }
    return new Promise((resolve) => waiting.push(resolve))
  }
  /** Hands the place over without giving it back: nobody can slip in between. */
  const release = (): void => {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }

  return async (task) => {
    await acquire()
    try {
      return await task()
    } finally {
      release()
    }
  }
}
