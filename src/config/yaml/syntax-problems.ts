import { type Document, Lexer, type LineCounter, type YAMLError } from 'yaml'
import type { ProblemList } from '../problem-list.ts'

export const mostBytes = 1024 * 1024
export const deepest = 64
const mostTokens = 400_000

const remedies: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'Indent with spaces.',
  BAD_INDENT: 'Line the block up with its neighbours, and close every bracket and quote.',
  MISSING_CHAR: 'Close the bracket or quote, or write the missing `:` or space.',
  MULTIPLE_DOCS: 'Keep one document: remove the `---` and what follows it.',
  BLOCK_AS_IMPLICIT_KEY: 'Put a value that contains `: ` in quotes, or the inner block on its own line.',
  MULTILINE_IMPLICIT_KEY: 'Write `key: value`, with a colon and a space.',
  BAD_SCALAR_START: 'Put the value in quotes.',
  BAD_DQ_ESCAPE: 'Use single quotes when a backslash is meant literally.',
  TAG_RESOLVE_FAILED: 'Remove the tag; write the value plainly.',
  RESOURCE_EXHAUSTION: `Nest at most ${deepest} levels deep.`,
}

/** Hostile text would stall or overflow the parser: true when reading its tokens shows none of that. */
export function passesLimits(text: string, problems: ProblemList): boolean {
  if (Buffer.byteLength(text) > mostBytes) {
    refuse(problems, 'the file is larger than 1 MiB')
    return false
  }
  let depth = 0
  let tokens = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    if (depth > deepest || ++tokens > mostTokens) {
      refuse(problems, depth > deepest ? 'brackets are nested too deeply' : 'the file has too many parts')
      return false
    }
  }
  return true
}

const refuse = (problems: ProblemList, fact: string): void =>
  problems.reportAt(
    { line: 1, column: 1 },
    fact,
    'A manifest is far smaller; check that this is the right file.',
  )

/** One problem a line: what follows a syntax error on its line is mostly its echo. */
export function reportSyntax(document: Document.Parsed, lines: LineCounter, problems: ProblemList): void {
  const seen = new Set<number>()
  for (const mistake of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(mistake.pos[0])
    if (seen.has(line)) continue
    seen.add(line)
    problems.reportAt({ line: Math.max(line, 1), column: Math.max(col, 1) }, fact(mistake), remedy(mistake))
  }
}

function fact(mistake: YAMLError): string {
  if (mistake.code === 'RESOURCE_EXHAUSTION') return 'the file is nested too deeply'
  if (mistake.code === 'MULTIPLE_DOCS') return 'a second document begins here'
  if (mistake.code === 'BLOCK_AS_IMPLICIT_KEY') return 'a second `: ` in one line'
  if (mistake.code === 'MULTILINE_IMPLICIT_KEY') return 'this line has no `key: value`'
  const plain = mistake.message.split('\n')[0] ?? ''
  return `not YAML: ${plain.length > 120 ? `${plain.slice(0, 120)}…` : plain}`
}

const remedy = (mistake: YAMLError): string =>
  remedies[mistake.code] ?? 'Correct the YAML; quote the value if it is meant as text.'
