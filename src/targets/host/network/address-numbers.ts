/** Numbers of instances' places in the network; each is the lower half of an address. */
export interface AddressNumbers {
  /** One that is not in use and was not for as long as possible: old connections must not meet a new instance. */
  next(): number
  use(number: number): void
  free(number: number): void
}

export interface NumberRange {
  readonly first: number
  readonly last: number
}

/** Each target has a part of the instance range, so that they need not ask each other. */
export const numberRanges = {
  local: { first: 2, last: 16_383 },
  docker: { first: 16_385, last: 32_766 },
} as const satisfies Record<string, NumberRange>

export function createAddressNumbers({ first, last }: NumberRange): AddressNumbers {
  const used = new Set<number>()
  let latest: number = first
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
