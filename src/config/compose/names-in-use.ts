/** A name of Compose as one of Basalt: lower-case letters, digits and `-`, at most 40 long. */
export function basaltName(text: string, otherwise: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/-+$/, '')
  return name === '' || name === 'localhost' ? otherwise : name
}

/** Gives each name of Compose one of Basalt, no two the same. */
export class NamesInUse {
  readonly #kind: string
  readonly #names = new Map<string, string>()
  readonly #taken = new Set<string>()

  constructor(kind: string) {
    this.#kind = kind
  }

  take(name: string): string {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const free = this.takeNew(name)
    this.#names.set(name, free)
    return free
  }

  /** A name that nothing has, like this one. */
  takeNew(name: string): string {
    const wanted = basaltName(name, this.#kind)
    let free = wanted
    for (let number = 2; this.#taken.has(free); number++)
      free = `${wanted.slice(0, 34).replace(/-+$/, '')}-${number}`
    this.#taken.add(free)
    return free
  }
}
