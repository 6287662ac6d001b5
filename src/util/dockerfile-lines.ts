/** One instruction of a Dockerfile, its continuation lines joined. */
export interface Instruction {
  /** In upper case: `FROM`, `RUN`. */
  readonly keyword: string
  /** What stands after the keyword, without heredocs' bodies. */
  readonly text: string
  /** For each character of `text` its place in the file. */
  readonly offsets: readonly number[]
  /** Counted from 1. */
  readonly line: number
}

export interface DockerfileLines {
  /** What `# syntax=` names, and where; null without one. */
  readonly syntax: { readonly reference: string; readonly start: number; readonly line: number } | null
  readonly instructions: readonly Instruction[]
  /** The line in which a heredoc begins that nothing ends; null where all are ended. */
  readonly openHeredoc: number | null
}

interface Line {
  readonly text: string
  readonly start: number
}

/** Instructions that may have heredocs (Dockerfile reference, "Here-Documents"). */
const withHeredocs: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD'])

/** Splits a Dockerfile as BuildKit's parser does (frontend/dockerfile/parser): directives, comments, continuations. */
export function readLines(text: string): DockerfileLines {
  const lines = linesOf(text)
  const { directives, syntax } = readDirectives(lines)
  const escape = directives.get('escape') === '`' ? '`' : '\\'
  const instructions: Instruction[] = []
  let openHeredoc: number | null = null
  for (let index = 0; index < lines.length; ) {
    const first = lines[index]?.text ?? ''
    if (isSkipped(first)) {
      index++
      continue
    }
    const line = index + 1
    const joined = join(lines, index, escape)
    index = joined.next
    const instruction = { ...split(joined), line }
    instructions.push(instruction)
    for (const { word, trimsTabs } of heredocsOf(instruction)) {
      const end = lines.findIndex(
        ({ text: own }, at) => at >= index && (trimsTabs ? own.replace(/^\t+/, '') : own) === word,
      )
      if (end < 0) openHeredoc ??= line
      index = end < 0 ? lines.length : end + 1
    }
  }
  return { syntax, instructions, openHeredoc }
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = []
  for (let start = text.startsWith('\ufeff') ? 1 : 0; start <= text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    lines.push({ text: text.slice(start, end).replace(/\r$/, ''), start })
    start = end + 1
  }
  return lines
}

const isSkipped = (line: string): boolean => /^\s*(?:#|$)/.test(line)

const directivePattern = /^(#\s*([a-zA-Z]\w*)\s*=\s*)(.+?)\s*$/

/** Only the comments at the very top can be directives; the first other line ends them. */
function readDirectives(lines: readonly Line[]) {
  const directives = new Map<string, string>()
  let syntax: DockerfileLines['syntax'] = null
  for (const [index, { text, start }] of lines.entries()) {
    if (index === 0 && text.startsWith('#!')) continue
    const [, before = '', key = '', value = ''] = directivePattern.exec(text) ?? []
    if (key === '' || directives.has(key.toLowerCase())) break
    directives.set(key.toLowerCase(), value)
    if (key.toLowerCase() === 'syntax')
      syntax = { reference: value.split(/\s/)[0] ?? '', start: start + before.length, line: index + 1 }
  }
  return { directives, syntax }
}

interface Joined {
  readonly text: string
  readonly offsets: readonly number[]
  readonly next: number
}

function join(lines: readonly Line[], from: number, escape: string): Joined {
  const continues = escape === '`' ? /`[ \t]*$/ : /\\[ \t]*$/
  let text = ''
  const offsets: number[] = []
  let index = from
  for (; index < lines.length; index++) {
    const line = lines[index] as Line
    // Inside an instruction comments and empty lines are passed over.
    if (index > from && isSkipped(line.text)) continue
    const cut = continues.exec(line.text)
    const part = cut === null ? line.text : line.text.slice(0, cut.index)
    for (let at = 0; at < part.length; at++) offsets.push(line.start + at)
    text += part
    if (cut === null) return { text, offsets, next: index + 1 }
  }
  return { text, offsets, next: index }
}

function split({ text, offsets }: Joined): Omit<Instruction, 'line'> {
  const [, before = '', keyword = ''] = /^(\s*(\S+)\s*)/.exec(text) ?? []
  const rest = text.slice(before.length).trimEnd()
  return {
    keyword: keyword.toUpperCase(),
    text: rest,
    offsets: offsets.slice(before.length, before.length + rest.length),
  }
}

interface Heredoc {
  readonly word: string
  readonly trimsTabs: boolean
}

function heredocsOf({ keyword, text }: Pick<Instruction, 'keyword' | 'text'>): readonly Heredoc[] {
  if (!withHeredocs.has(keyword)) return []
  return [...text.matchAll(/(?:^|\s)\d*<<(-?)(?:(["'])([^"'\s]+)\2|([A-Za-z_]\w*))(?=\s|$)/g)].map(
    ([, dash, , quoted, plain]) => ({ word: quoted ?? plain ?? '', trimsTabs: dash === '-' }),
  )
}
