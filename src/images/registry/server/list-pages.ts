import * as z from 'zod'
import { refusal } from './refusal.ts'

export interface Page {
  readonly items: readonly string[]
  /** Of the next page (RFC 8288); null: this is the last one. */
  readonly link: string | null
}

const querySchema = z.object({
  n: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
  last: z.string().optional(),
})
/** So that no answer is larger than a client may expect. */
const longestPage = 10_000

/** One page of names in the order of distribution-spec, "Listing Tags": `n` of them after the name `last`. */
export function pageOf(all: Iterable<string>, query: unknown, path: string): Page {
  const parsed = querySchema.safeParse(query)
  if (!parsed.success) throw refusal('PAGINATION_NUMBER_INVALID', 'n must be a number of names to list')
  const { n, last } = parsed.data
  const count = Math.min(n === undefined ? longestPage : Number(n), longestPage)
  const sorted = [...new Set(all)].sort(compareNames)
  const rest = last === undefined ? sorted : sorted.filter((name) => compareNames(name, last) > 0)
  const items = rest.slice(0, count)
  const end = items.at(-1)
  const link =
    end === undefined || items.length === rest.length
      ? null
      : `<${path}?n=${count}&last=${encodeURIComponent(end)}>; rel="next"`
  return { items, link }
}

/** Case-insensitive; names that differ in case only are ordered too, so that no page can lose one. */
function compareNames(a: string, b: string): number {
  const [lowerA, lowerB] = [a.toLowerCase(), b.toLowerCase()]
  if (lowerA !== lowerB) return lowerA < lowerB ? -1 : 1
  return a === b ? 0 : a < b ? -1 : 1
}
