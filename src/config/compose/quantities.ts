const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
}

/** A duration of Compose, `1m30s` or `1.5s`, in milliseconds (at least one unless it is zero); null: it is none. */
export function durationMs(text: string): number | null {
  if (text.length > 40) return null
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)/g)]
  if (text === '0') return 0
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return null
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ''] ?? 0), 0)
  return total > 0 ? Math.max(1, Math.round(total)) : 0
}

/** As basalt.yaml has it: `1m30s`. */
export function durationText(ms: number): string {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(ms / 3_600_000), 'h'],
    [Math.floor(ms / 60_000) % 60, 'm'],
    [Math.floor(ms / 1000) % 60, 's'],
    [ms % 1000, 'ms'],
  ]
  const text = parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count}${unit}`])).join('')
  return text === '' ? '0s' : text
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** A size of Compose, `64m` or `1.5gb`, in bytes; null: it is none. */
export function sizeInBytes(text: string): number | null {
  const [, count, unit = ''] = /^(\d{1,15}(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim()) ?? []
  if (count === undefined) return null
  const bytes = Math.floor(Number(count) * (unitBytes[unit.toLowerCase()] ?? 1))
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** As basalt.yaml has it: `64M`. */
export function sizeText(bytes: number): string | number {
  for (const [letter, unit] of [
    ['G', 1024 ** 3],
    ['M', 1024 ** 2],
    ['K', 1024],
  ] as const)
    if (bytes % unit === 0 && bytes > 0) return `${bytes / unit}${letter}`
  return bytes
}
