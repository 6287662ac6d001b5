/* oxlint-disable no-template-curly-in-string -- this is how Compose writes variables */
/** The value of a variable; undefined: it is not set. */
export type Lookup = (name: string) => string | undefined

export interface Interpolation {
  readonly text: string
  /** Names of the variables that were asked for, each once. */
  readonly used: readonly string[]
  /** Those without value and default, which stand for nothing. */
  readonly unset: readonly string[]
  readonly fault: { readonly fact: string; readonly remedy: string } | null
}

/** No value of a real project is longer; variables that repeat each other grow without bound. */
export const longestValue = 64 * 1024
const deepestNesting = 20
const namePattern = /^[A-Za-z_][A-Za-z0-9_]*/

class Fault extends Error {
  readonly remedy: string
  constructor(fact: string, remedy: string) {
    super(fact)
    this.remedy = remedy
  }
}

/**
 * Puts variables into a text: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`,
 * `${NAME?message}`, `${NAME:+other}`, `${NAME+other}`, where the last part may contain variables again, and `$$`
 * for a dollar sign. Compose Specification, "Interpolation".
 */
export function interpolate(text: string, lookup: Lookup): Interpolation {
  if (!text.includes('$')) return { text, used: [], unset: [], fault: null }
  const used = new Set<string>()
  const unset = new Set<string>()
  try {
    const filled = fill(text, { lookup, used, unset }, 0)
    return { text: filled, used: [...used], unset: [...unset], fault: null }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return {
      text: '',
      used: [...used],
      unset: [...unset],
      fault: { fact: error.message, remedy: error.remedy },
    }
  }
}

interface Scope {
  readonly lookup: Lookup
  readonly used: Set<string>
  readonly unset: Set<string>
}

function fill(text: string, scope: Scope, depth: number): string {
  if (depth > deepestNesting)
    throw new Fault('variables are nested too deeply', `Nest at most ${deepestNesting} levels.`)
  let filled = ''
  let index = 0
  while (index < text.length) {
    const dollar = text.indexOf('$', index)
    if (dollar === -1) return limited(filled + text.slice(index))
    filled += text.slice(index, dollar)
    const { value, end } = variableAt(text, dollar, scope, depth)
    filled = limited(filled + value)
    index = end
  }
  return filled
}

function limited(text: string): string {
  if (text.length > longestValue)
    throw new Fault(
      `with its variables the value is longer than ${longestValue / 1024} KiB`,
      'Use shorter values.',
    )
  return text
}

function variableAt(
  text: string,
  dollar: number,
  scope: Scope,
  depth: number,
): { readonly value: string; readonly end: number } {
  const rest = text.slice(dollar + 1, dollar + 200)
  if (rest.startsWith('$')) return { value: '$', end: dollar + 2 }
  if (rest.startsWith('{')) {
    const close = closingBrace(text, dollar + 2)
    return { value: expression(text.slice(dollar + 2, close), scope, depth), end: close + 1 }
  }
  const name = namePattern.exec(text.slice(dollar + 1))?.[0]
  if (name === undefined)
    throw new Fault('a `$` is followed by no variable', 'Write `$$` when a dollar sign is meant.')
  return { value: valueOf(name, scope) ?? missing(name, scope), end: dollar + 1 + name.length }
}

function closingBrace(text: string, from: number): number {
  let open = 1
  for (let index = from; index < text.length; index++) {
    if (text.startsWith('${', index)) open++
    else if (text[index] === '}' && --open === 0) return index
  }
  throw new Fault('a `${` is not closed', 'Write `}` behind it, or `$$` when a dollar sign is meant.')
}

/** What stands between the braces. */
function expression(body: string, scope: Scope, depth: number): string {
  const name = namePattern.exec(body)?.[0]
  const operator = /^(?::?[-?+])?/.exec(body.slice(name?.length ?? 0))?.[0] ?? ''
  const rest = body.slice((name?.length ?? 0) + operator.length)
  if (name === undefined || (operator === '' && rest !== ''))
    throw new Fault(
      'a `${…}` is not understood',
      'Write `${NAME}`, `${NAME:-default}`, `${NAME:?message}` or `${NAME:+other}`.',
    )
  const value = valueOf(name, scope)
  const isSet = value !== undefined && (value !== '' || !operator.startsWith(':'))
  if (operator.endsWith('+')) return isSet ? fill(rest, scope, depth + 1) : ''
  if (isSet) return value
  if (operator.endsWith('-')) return fill(rest, scope, depth + 1)
  if (operator.endsWith('?')) {
    const reason = fill(rest, scope, depth + 1)
    throw new Fault(
      `the variable \`${name}\` is required${reason === '' ? '' : `: ${reason.slice(0, 200)}`}`,
      `Set it in the shell or in .env beside the Compose file: \`${name}=…\`.`,
    )
  }
  return missing(name, scope)
}

function valueOf(name: string, scope: Scope): string | undefined {
  scope.used.add(name)
  return scope.lookup(name)
}

function missing(name: string, scope: Scope): string {
  scope.unset.add(name)
  return ''
}
