/** Numbers of network namespaces; each is also the lower part of an address. */
export interface NamespaceNumbers {
  /** One that is not in use and was not for as long as possible: old connections must not meet a new instance. */
  next(): number
  use(number: number): void
  free(number: number): void
}

const first = 2
const last = 32_766

export function createNamespaceNumbers(): NamespaceNumbers {
  const used = new Set<number>()
  let latest = first
  return {
    next() {
      do latest = latest >= last ? first : latest + 1
      while (used.has(latest) || isAwkward(latest))
      used.add(latest)
      return latest
    },
    use(number) {
      used.add(number)
      latest = Math.max(latest, Math.min(number, last))
    },
    free: (number) => used.delete(number),
  }
}

/** Addresses that end in .0 or .255 are legal in a /17, but old software refuses them. */
const isAwkward = (number: number): boolean => number % 256 === 0 || number % 256 === 255
