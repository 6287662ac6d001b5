import { editDistance } from '../util/edit-distance.ts'

/** The known name that a mistyped one most likely means; null when none is near enough to suggest. */
export function closestName(typed: string, known: Iterable<string>): string | null {
  const wanted = typed.toLowerCase()
  if (wanted.length > 64) return null
  const allowance = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | null = null
  let bestDistance = allowance + 1
  for (const name of known) {
    if (Math.abs(name.length - wanted.length) > allowance) continue
    const distance = editDistance(wanted, name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}
