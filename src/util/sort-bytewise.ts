const surrogate = /[\ud800-\udfff]/

/**
 * A sorted copy, in the order of the UTF-8 bytes: the same in every locale. JavaScript's own order is by UTF-16 units,
 * which differs only where surrogates are involved.
 */
export function sortBytewise(texts: readonly string[]): string[] {
  if (!texts.some((text) => surrogate.test(text))) return [...texts].sort()
  const bytes = new Map(texts.map((text) => [text, Buffer.from(text)]))
  return [...texts].sort((a, b) =>
    Buffer.compare(bytes.get(a) ?? Buffer.alloc(0), bytes.get(b) ?? Buffer.alloc(0)),
  )
}
