import { interpolate, type Lookup } from './interpolate.ts'

export interface DotenvVariable {
  readonly name: string
  /** Null: only the name is written; the value is that of the shell. */
  readonly value: string | null
  readonly line: number
  /** Variables that were put into the value. */
  readonly used: readonly string[]
}

export interface Dotenv {
  readonly variables: readonly DotenvVariable[]
  readonly faults: readonly { readonly line: number; readonly fact: string; readonly remedy: string }[]
}

const assignment = /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:[=:][ \t]*([\s\S]*))?$/
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/**
 * Reads an environment file as Compose does: `NAME=value`, `NAME: value` and `export NAME=value`; comments; single
 * quotes are literal, in double quotes `\n`, `\r`, `\t` and a backslash before anything else count; quoted values may
 * go over lines; variables are put into all but single-quoted values. Earlier lines win over `lookup` no more than the
 * shell does: `lookup` is asked first.
 */
export function parseDotenv(text: string, lookup: Lookup): Dotenv {
  const variables: DotenvVariable[] = []
  const faults: { line: number; fact: string; remedy: string }[] = []
  const own = new Map<string, string>()
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    const content = (lines[index] ?? '').trim()
    if (content === '' || content.startsWith('#')) continue
    const [, name, written] = assignment.exec(content) ?? []
    if (name === undefined) {
      faults.push({
        line,
        fact: 'this line is no `NAME=value`',
        remedy: 'Write `NAME=value` or a `#` comment.',
      })
      continue
    }
    if (written === undefined) {
      variables.push({ name, value: null, line, used: [] })
      continue
    }
    const read = readValue(written, lines, index)
    if (read === null) {
      faults.push({ line, fact: `the quote of \`${name}\` is not closed`, remedy: 'Close it.' })
      break
    }
    index = read.lastLine
    const filled = read.literal
      ? { text: read.text, used: [], fault: null }
      : interpolate(read.text, (variable) => lookup(variable) ?? own.get(variable))
    if (filled.fault !== null) faults.push({ line, ...filled.fault })
    own.set(name, filled.text)
    variables.push({ name, value: filled.text, line, used: filled.used })
  }
  return { variables, faults }
}

/** `format: raw`: everything behind the first `=` is the value. */
export function parseRawEnvironment(text: string): Dotenv {
  const variables = text.split(/\r\n|\r|\n/).flatMap((content, index): readonly DotenvVariable[] => {
    if (content.trim() === '' || content.startsWith('#')) return []
    const cut = content.indexOf('=')
    const name = cut === -1 ? content : content.slice(0, cut)
    return [{ name, value: cut === -1 ? null : content.slice(cut + 1), line: index + 1, used: [] }]
  })
  return { variables, faults: [] }
}

interface ReadValue {
  readonly text: string
  readonly literal: boolean
  readonly lastLine: number
}

function readValue(written: string, lines: readonly string[], from: number): ReadValue | null {
  const quote = written[0]
  if (quote !== '"' && quote !== "'") {
    const comment = written.startsWith('#') ? 0 : written.search(/[ \t]#/)
    const text = comment === -1 ? written : written.slice(0, comment)
    return { text: text.trim(), literal: false, lastLine: from }
  }
  let text = ''
  let line = from
  let rest = written.slice(1)
  for (;;) {
    for (let index = 0; index < rest.length; index++) {
      const character = rest[index] as string
      if (character === quote) return { text, literal: quote === "'", lastLine: line }
      if (character !== '\\' || index + 1 === rest.length) text += character
      else text += escaped(rest[++index] as string, quote)
    }
    line++
    const next = lines[line]
    if (next === undefined) return null
    text += '\n'
    rest = next
  }
}

function escaped(character: string, quote: string): string {
  if (quote === "'") return character === "'" ? "'" : `\\${character}`
  // An escaped dollar sign must survive the interpolation that follows.
  if (character === '$') return '$$'
  return escapes[character] ?? character
}
