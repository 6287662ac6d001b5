/**
 * Writes the files that are derived from code, so that they cannot drift.
 *
 * Usage: node scripts/generate.ts            write them
 *        node scripts/generate.ts --check    name the stale ones and exit with 1
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { apiReference, cliReference } from '../src/cli/reference.ts'
import { composeReference } from '../src/config/compose/compose-reference.ts'
import { manifestJsonSchemaText } from '../src/config/manifest-json-schema.ts'
import { manifestReference } from '../src/config/manifest-reference.ts'
import { errorReference } from './error-reference.ts'

const root = resolve(import.meta.dirname, '..')

interface Generated {
  readonly path: string
  readonly source: string
  readonly render: () => string
}

const generated: readonly Generated[] = [
  { path: 'docs/errors.md', source: 'src/errors.ts', render: errorReference },
  { path: 'docs/cli.md', source: 'src/cli', render: cliReference },
  { path: 'docs/api.md', source: 'src/server', render: apiReference },
  { path: 'docs/manifest.md', source: 'src/config', render: manifestReference },
  { path: 'docs/compose.md', source: 'src/config/compose', render: composeReference },
  { path: 'schema/basalt.schema.json', source: 'src/config', render: manifestJsonSchemaText },
]

const checking = process.argv.includes('--check')
const stale = generated
  .map(({ path, source, render }) => ({ path, text: withNotice(path, source, render()) }))
  .filter(({ path, text }) => currentText(path) !== text)

for (const { path, text } of stale) {
  if (checking) console.error(`${path} is stale: run \`npm run generate\` and commit the result`)
  else {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    console.log(`wrote ${path}`)
  }
}
process.exit(checking && stale.length > 0 ? 1 : 0)

function withNotice(path: string, source: string, text: string): string {
  return path.endsWith('.md')
    ? `<!-- Generated from ${source} by \`npm run generate\`. Do not edit. -->\n\n${text}`
    : text
}

function currentText(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}
