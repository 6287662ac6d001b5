/** Characters that only a shell gives a meaning to; without a shell they would be passed on as they are. */
const shellCharacter = /[$`|&;<>*?(){}\n]/
const assignment = /^\s*[A-Za-z_][A-Za-z0-9_]*=/

export type Split =
  | { readonly ok: true; readonly arguments: readonly string[] }
  | { readonly ok: false; readonly fact: string }

/**
 * One line to an argument vector: split at spaces; single and double quotes group, a backslash takes the next
 * character literally (not within single quotes; within double quotes only `"`, `\\`, `$` and a backtick), as in a
 * POSIX shell. Shell syntax outside quotes is refused rather than guessed.
 */
export function splitArguments(line: string): Split {
  if (assignment.test(line)) return { ok: false, fact: 'uses shell syntax' }
  const words: string[] = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let index = 0; index < line.length; index++) {
    const character = line[index] as string
    if (character === '\\' && quote !== "'") {
      const next = line[++index]
      if (next === undefined) return { ok: false, fact: 'ends with a backslash' }
      const isKept = quote === '"' && !'"\\$`'.includes(next)
      word = (word ?? '') + (isKept ? character : '') + next
    } else if (quote !== null) {
      if (character === quote) quote = null
      else if (quote === '"' && (character === '$' || character === '`'))
        return { ok: false, fact: 'uses shell syntax' }
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (character === ' ' || character === '\t') {
      if (word !== null) words.push(word)
      word = null
    } else {
      if (shellCharacter.test(character)) return { ok: false, fact: 'uses shell syntax' }
      word = (word ?? '') + character
    }
  }
  if (quote !== null) return { ok: false, fact: 'has a quote that is not closed' }
  if (word !== null) words.push(word)
  return words.length === 0 ? { ok: false, fact: 'is blank' } : { ok: true, arguments: words }
}
