/**
 * Compares two package versions as dpkg does (deb-version(7)): negative where `a` is earlier, 0 where they are equal.
 */
export function compareVersions(a: string, b: string): number {
  const left = split(a)
  const right = split(b)
  return (
    compareNumbers(left.epoch, right.epoch) ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  )
}

/** `[epoch:]upstream[-revision]`; an absent epoch or revision counts as 0. */
function split(version: string): {
  readonly epoch: string
  readonly upstream: string
  readonly revision: string
} {
  const colon = version.indexOf(':')
  const hyphen = version.lastIndexOf('-')
  const end = hyphen > colon ? hyphen : version.length
  return {
    epoch: colon === -1 ? '0' : version.slice(0, colon),
    upstream: version.slice(colon + 1, end),
    revision: version.slice(end + 1),
  }
}

/** Turns of non-digits, compared by weight, and digits, compared as numbers, until one of them differs. */
function compareParts(a: string, b: string): number {
  let left = 0
  let right = 0
  while (left < a.length || right < b.length) {
    while ((left < a.length && !isDigit(a, left)) || (right < b.length && !isDigit(b, right))) {
      const difference = weight(a, left) - weight(b, right)
      if (difference !== 0) return difference
      left += 1
      right += 1
    }
    const leftEnd = endOfDigits(a, left)
    const rightEnd = endOfDigits(b, right)
    const difference = compareNumbers(a.slice(left, leftEnd), b.slice(right, rightEnd))
    if (difference !== 0) return difference
    left = leftEnd
    right = rightEnd
  }
  return 0
}

/** `~` before the end, the end before letters, letters before everything else. A digit counts as the end. */
function weight(text: string, position: number): number {
  const code = position < text.length ? text.charCodeAt(position) : 0
  if (code === 0 || isDigit(text, position)) return 0
  if (code === 0x7e) return -1
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
  return isLetter ? code : code + 256
}

function isDigit(text: string, position: number): boolean {
  const code = text.charCodeAt(position)
  return code >= 0x30 && code <= 0x39
}

function endOfDigits(text: string, start: number): number {
  let end = start
  while (end < text.length && isDigit(text, end)) end += 1
  return end
}

/** Digits of any length; an empty text is 0. */
function compareNumbers(a: string, b: string): number {
  const left = a.replace(/^0+/, '')
  const right = b.replace(/^0+/, '')
  if (left.length !== right.length) return left.length - right.length
  return left < right ? -1 : left > right ? 1 : 0
}
