import * as z from 'zod'
import { type ErrorCode, type ErrorKind, errorCatalogue, exitCodes } from '../src/errors.ts'
import { resultSchemas } from '../src/server/result-schemas.ts'

const meaning: Record<ErrorKind, string> = {
  user: 'The manifest, the request or the sources need a change.',
  environment: 'The machine, the network or another program is in the way.',
  bug: 'Basalt contradicts itself. Please report it.',
}

/** docs/errors.md: every code of src/errors.ts, by its first word. */
export function errorReference(): string {
  const codes = Object.keys(errorCatalogue) as ErrorCode[]
  const areas = Map.groupBy(codes, (code) => code.slice(0, code.indexOf('.')))
  return [
    '# Errors',
    '',
    'Every error has a code that stays the same between versions, a message that names the thing and the fact,',
    'and, where one is known, a remedy. With `-o json` an error is printed as a document with the members',
    `${errorMembers()}; that of a deployment is the member \`error\``,
    'of its document. docs/api.md has their schemas.',
    '',
    '| kind | exit code | what it says |',
    '|---|---|---|',
    ...kinds.map((kind) => `| \`${kind}\` | ${exitCodes[kind]} | ${meaning[kind]} |`),
    ...[...areas].flatMap(([area, members]) => ['', `## ${area}`, '', ...table(members)]),
    '',
  ].join('\n')
}

/** From the schema that answers are tested with. */
function errorMembers(): string {
  const schema = resultSchemas['basalt.error/v1'] ?? z.never()
  const names = Object.keys(z.toJSONSchema(schema).properties ?? {})
  if (names.length === 0) throw new Error('basalt.error/v1 is not a document with members')
  return new Intl.ListFormat('en').format(names.map((name) => `\`${name}\``))
}

const kinds: readonly ErrorKind[] = ['user', 'environment', 'bug']

const table = (codes: readonly ErrorCode[]): readonly string[] => [
  '| code | kind | when |',
  '|---|---|---|',
  ...codes.map((code) => `| \`${code}\` | ${errorCatalogue[code].kind} | ${errorCatalogue[code].summary} |`),
]
