import { editDistance } from '../../../util/edit-distance.ts'

/** Names that a mistyped one may have meant, the nearest first; at most three. */
export function nearNames(typed: string, known: Iterable<string>): readonly string[] {
  const allowance = Math.max(1, Math.floor(typed.length / 3))
  const near: { readonly name: string; readonly distance: number }[] = []
  for (const name of known) {
    // There are sixty thousand names: most are passed over by their length alone.
    if (Math.abs(name.length - typed.length) > allowance) continue
    const distance = editDistance(typed, name)
    if (distance <= allowance) near.push({ name, distance })
  }
  return near
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name)
}
