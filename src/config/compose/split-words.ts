/**
 * A command line to its words as Compose does it: quotes group, a backslash takes the next character, and no shell
 * runs, so that `$`, `|` or `*` mean nothing. Null: a quote is not closed.
 */
export function splitWords(line: string): readonly string[] | null {
  const words: string[] = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let index = 0; index < line.length; index++) {
    const character = line[index] as string
    if (character === '\\' && quote !== "'" && index + 1 < line.length) {
      const next = line[++index] as string
      if (next === '\n') continue
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? character : '') + next
    } else if (quote !== null) {
      if (character === quote) quote = null
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word)
      word = null
    } else word = (word ?? '') + character
  }
  if (quote !== null) return null
  if (word !== null) words.push(word)
  return words
}
