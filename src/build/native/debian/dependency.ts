import { compareVersions } from './version.ts'

/** One alternative of a relation field: `libc6 (>= 2.36)`. */
export interface Relation {
  readonly name: string
  /** `any`, `native`, an architecture, or null where none is given. */
  readonly qualifier: string | null
  readonly constraint: Constraint | null
}

export interface Constraint {
  readonly operator: Operator
  readonly version: string
}

type Operator = '<<' | '<=' | '=' | '>=' | '>>'

const pattern = /^([a-z0-9][a-z0-9+.-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\s*\))?$/i

/**
 * Parses Depends, Pre-Depends, Conflicts, Breaks or Provides (Debian policy, 7.1): groups of which all must hold, of
 * alternatives of which one must. Of an alternative that is malformed nothing can be said, so it never holds.
 */
export function parseRelations(field: string): readonly (readonly Relation[])[] {
  if (field.trim() === '') return []
  return field.split(',').map((group) => group.split('|').flatMap((text) => parseRelation(text.trim())))
}

function parseRelation(text: string): Relation | [] {
  const [, name, qualifier, operator, version] = pattern.exec(text) ?? []
  if (name === undefined) return []
  return {
    name,
    qualifier: qualifier ?? null,
    constraint:
      operator === undefined || version === undefined ? null : { operator: operatorOf(operator), version },
  }
}

/** `<` and `>` are old spellings of `<=` and `>=`. */
const operatorOf = (text: string): Operator =>
  text === '<' ? '<=' : text === '>' ? '>=' : (text as Operator)

export function satisfies(version: string, constraint: Constraint | null): boolean {
  if (constraint === null) return true
  const order = compareVersions(version, constraint.version)
  switch (constraint.operator) {
    case '<<':
      return order < 0
    case '<=':
      return order <= 0
    case '=':
      return order === 0
    case '>=':
      return order >= 0
    case '>>':
      return order > 0
  }
}

export const relationText = ({ name, qualifier, constraint }: Relation): string =>
  `${name}${qualifier === null ? '' : `:${qualifier}`}${constraint === null ? '' : ` (${constraint.operator} ${constraint.version})`}`
