import * as z from 'zod'
import { ndjsonType, tarType } from './protocol.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'

/**
 * The calls of the server as Markdown, from the same data that serves them. `schemas` are all documents that
 * server and CLI print, by their `schema` member.
 */
export function apiReference(schemas: Readonly<Record<string, z.ZodType>>): string {
  return [
    introduction,
    '## Calls',
    '',
    '| call | what it does | answers with |',
    '|---|---|---|',
    ...fixedCalls,
    ...routes.map(
      (route) => `| \`${route.method} /v1${route.path}\` | ${route.summary} | ${answerOf(route)} |`,
    ),
    '',
    ...routes.flatMap(inputSection),
    '## Documents',
    '',
    'Every document has a `schema` member. Members are only ever added to a version; a change that would break a',
    'reader gets a new one.',
    '',
    ...Object.entries(schemas).flatMap(([name, schema]) => [
      `### ${name}`,
      '',
      ...jsonSchema(schema, 'output'),
      '',
    ]),
  ].join('\n')
}

const introduction = `# HTTP API

The server listens on the unix socket \`$BASALT_HOME/basalt.sock\` (\`/var/lib/basalt\` when unset); root and members of
the group \`basalt\` (or the one that \`BASALT_GROUP\` names) may use it. Requests and results are JSON.

    curl --unix-socket /var/lib/basalt/basalt.sock http://basalt/v1/status

- **Who asks** is found out by the server from the socket and written to the ledger; it is in no request.
- **Versions.** A client that sends \`basalt-api: <number>\` and \`basalt-version: <text>\` is refused with
  \`server.version-mismatch\` when the server does not speak that API. \`/v1/health\` and \`/v1/server/stop\` answer to all.
- **Errors** are \`basalt.error/v1\` documents with status 400 (malformed), 403, 404 (unknown), 409 (conflict), 422 (the
  request cannot be done), 503 (the machine is in the way) or 500 (a bug). docs/errors.md lists the codes.
- **Streams** are \`${ndjsonType}\`: one \`{"type":"item","item":…}\` a line. A failure on the way is a last
  line \`{"type":"error","error":…}\`. Calls marked "progress" answer with plain JSON, or, when the request says
  \`Accept: ${ndjsonType}\`, with items \`{code, message, data}\` and then \`{"type":"result","result":…}\`.
`

const fixedCalls = [
  '| `GET /v1/health` | Which server this is. | `basalt.health/v1` |',
  '| `POST /v1/server/stop` | Ends the server; instances go on. | `basalt.health/v1` |',
  '| `POST /v1/server/remove` | Takes every environment down, then ends the server. | `basalt.health/v1` |',
  `| \`POST /v1/releases/import\` | Takes a release archive (body: \`${tarType}\`). | \`basalt.release-imported/v1\` |`,
  `| \`POST /v1/images/import\` | Takes an archive of images (body: \`${tarType}\`, also compressed with gzip). | \`basalt.image-imported/v1\` |`,
]

function answerOf(route: Route): string {
  if (route.answer === 'bytes') return `\`${route.schema}\``
  const notes = { result: '', progress: ' (progress)', items: ' (stream)' }
  return `\`${route.schema}\`${notes[route.answer]}`
}

function inputSection(route: Route): readonly string[] {
  const lines = jsonSchema(route.input, 'input')
  const where = route.method === 'GET' ? 'Query and path' : 'Body and path'
  return [`### ${route.method} /v1${route.path}`, '', `${where}:`, '', ...lines, '']
}

function jsonSchema(schema: z.ZodType, side: 'input' | 'output'): readonly string[] {
  // Refinements and transforms have no JSON Schema; what they accept is in their summary or message.
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io: side === 'output' ? 'input' : side,
    unrepresentable: 'any',
  })
  return ['```json', JSON.stringify(json, null, 2), '```']
}
