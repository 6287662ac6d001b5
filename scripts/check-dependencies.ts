/**
 * Holds the rules of .dependency-cruiser.cjs. dependency-cruiser passes when it could read nothing at all, so
 * the files that it read are compared with the files that there are.
 *
 * Usage: node scripts/check-dependencies.ts [folder with src/ in it]
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[]
  readonly summary: {
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
      readonly cycle?: readonly { readonly name: string }[]
    }[]
  }
}

/** One line for each broken rule or unread file; empty when all is well. */
export function dependencyFindings(folder: string): readonly string[] {
  const files = typescriptFiles(folder)
  if (files.length === 0) return [`no TypeScript files in ${join(folder, 'src')}`]
  const result = cruise(folder)
  const read = new Set(result.modules.map((module) => module.source))
  return [
    ...files
      .filter((file) => !read.has(file))
      .map((file) => `unread: dependency-cruiser did not read ${file}`),
    ...result.summary.violations.map(({ rule, from, to, cycle }) =>
      cycle === undefined
        ? `${rule.name}: ${from} imports ${to}`
        : `${rule.name}: ${[from, ...cycle.map((step) => step.name)].join(' -> ')}`,
    ),
  ].sort()
}

function typescriptFiles(folder: string): readonly string[] {
  return readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('fixtures/'))
    .map((file) => `src/${file}`)
}

function cruise(folder: string): CruiseResult {
  const config = join(root, '.dependency-cruiser.cjs')
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const run = spawnSync(process.execPath, [program, 'src', '--config', config, '--output-type', 'json'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
  if (!run.stdout.startsWith('{')) {
    console.error(run.stdout, run.stderr)
    process.exit(1)
  }
  return JSON.parse(run.stdout) as CruiseResult
}

if (import.meta.main) {
  const findings = dependencyFindings(resolve(process.argv[2] ?? root))
  for (const finding of findings) console.error(finding)
  process.exit(findings.length === 0 ? 0 : 1)
}
