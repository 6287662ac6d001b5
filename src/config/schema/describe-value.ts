import type { ManifestPath } from '../problem-list.ts'

const longest = 60

/** A wrong value as a person would name it, short and on one line. */
export function describeValue(value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a block of keys'
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${quote(value)}`
  return typeof value === 'number' || typeof value === 'boolean' ? `\`${value}\`` : 'missing'
}

/** In backticks, with control characters escaped and the middle of long texts left out. */
export function quote(text: string): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text
  return `\`${JSON.stringify(shown).slice(1, -1).replaceAll('\\"', '"')}\``
}

/** `services.web.ports[1]` */
export const pathText = (path: ManifestPath): string =>
  path
    .map((segment, index) =>
      typeof segment === 'number' ? `[${segment}]` : index === 0 ? segment : `.${segment}`,
    )
    .join('')
