import { posix } from 'node:path'

/** The patterns of a .dockerignore, one for each line that is none of comment and empty. */
export const readDockerignore = (text: string): readonly string[] =>
  text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** Which patterns match a folder, so that what lies in it need not ask again. */
export type Matches = readonly boolean[]

export interface IgnoreRules {
  /** What matches nothing: the context itself. */
  readonly top: Matches
  /** @param path below the context; `above` are the matches of its folder */
  match(path: string, above: Matches): { readonly matches: Matches; readonly ignored: boolean }
  /** Whether something in an ignored folder may be taken back by a pattern `!…`. */
  mayTakeBack(folder: string): boolean
}

/**
 * Docker's rules (moby/patternmatcher): the last pattern that matches a path or a folder above it decides; `!` takes
 * back; `**` is any number of folders. Unlike in .gitignore every pattern begins at the context's root.
 */
export function ignoreRules(patterns: readonly string[]): IgnoreRules {
  const rules = patterns.map(toRule).filter((rule) => rule !== null)
  const takenBack = rules.filter(({ negated }) => negated).map(({ pattern }) => literalStart(pattern))
  return {
    top: rules.map(() => false),
    match(path, above) {
      let ignored = false
      const matches = rules.map(({ expression, negated }, index) => {
        const matched = above[index] === true || expression.test(path)
        if (matched) ignored = !negated
        return matched
      })
      return { matches, ignored }
    },
    mayTakeBack: (folder) =>
      takenBack.some(
        (start) =>
          start === '' ||
          start === folder ||
          start.startsWith(`${folder}/`) ||
          folder.startsWith(`${start}/`),
      ),
  }
}

interface Rule {
  readonly pattern: string
  readonly expression: RegExp
  readonly negated: boolean
}

function toRule(written: string): Rule | null {
  const negated = written.startsWith('!')
  const cleaned = posix.normalize((negated ? written.slice(1) : written).trim()).replace(/(?<=.)\/$/, '')
  const pattern = cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned
  // A pattern of the context itself matches nothing below it.
  if (pattern === '' || pattern === '.' || pattern === '/') return null
  return { pattern, expression: new RegExp(`^${expressionOf(pattern)}$`, 's'), negated }
}

/** patternmatcher.go, `compile`. */
function expressionOf(pattern: string): string {
  let expression = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? ''
    if (character === '*' && pattern[at + 1] === '*') {
      at++
      if (pattern[at + 1] === '/') at++
      expression += at + 1 >= pattern.length ? '.*' : '(?:.*/)?'
    } else if (character === '*') expression += '[^/]*'
    else if (character === '?') expression += '[^/]'
    else if (character === '\\') {
      at++
      expression += escaped(pattern[at] ?? '\\')
    } else if (character === '[') {
      const end = pattern.indexOf(']', at + 2)
      expression += end < 0 ? '\\[' : pattern.slice(at, end + 1)
      if (end >= 0) at = end
    } else expression += escaped(character)
  }
  return expression
}

const escaped = (character: string): string => character.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** The folders of a pattern before the first that is not plain; '' where the first is not. */
function literalStart(pattern: string): string {
  const segments = pattern.split('/')
  const first = segments.findIndex((segment) => /[*?[\\]/.test(segment))
  return (first < 0 ? segments : segments.slice(0, first)).join('/')
}
