/** Runs one task at a time, in the order in which they came. */
export interface Mutex {
  run<Result>(task: () => Promise<Result>): Promise<Result>
}

export function createMutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve()
  return {
    run(task) {
      const result = last.then(task)
      last = result.catch(() => {})
      return result
    },
  }
}

/** A mutex for each key, made when first used. */
export function createKeyedMutex<Key>(): (key: Key) => Mutex {
  const mutexes = new Map<Key, Mutex>()
  return (key) => {
    const mutex = mutexes.get(key) ?? createMutex()
    mutexes.set(key, mutex)
    return mutex
  }
}
