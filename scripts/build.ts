/**
 * Bundles the CLI and the server into dist/, so that a command loads a few files instead of hundreds.
 *
 * Usage: node scripts/build.ts
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'

const root = resolve(import.meta.dirname, '..')
/**
 * Built beside and then renamed: whoever starts a command meanwhile finds the old or the new one, whole; or, between
 * two renames, none, and runs the sources.
 */
const current = join(root, 'dist')
const output = join(root, 'dist.new')
const replaced = join(root, 'dist.old')

/** Some bundled packages are CommonJS and ask for `require`… */
const commonJsRequire = [
  "import { createRequire as __createRequire } from 'node:module'",
  'const require = __createRequire(import.meta.url)',
].join(';')

/** …and for their own place. */
const commonJsNames = [
  commonJsRequire,
  "import { dirname as __dirnameOf } from 'node:path'",
  "import { fileURLToPath as __toPath } from 'node:url'",
  'const __filename = __toPath(import.meta.url)',
  'const __dirname = __dirnameOf(__filename)',
].join(';')

/** The Docker client could reach an Engine over SSH, with a native module; Basalt talks to the unix socket only. */
const withoutSsh: Plugin = {
  name: 'without-ssh',
  setup(bundler) {
    bundler.onResolve({ filter: /^ssh2$/ }, () => ({ path: 'ssh2', namespace: 'absent' }))
    bundler.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {}' }))
  },
}

const shared: BuildOptions = {
  absWorkingDir: root,
  outdir: output,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  // Names and lines stay readable in a stack trace; white space is most of what there is to save.
  minifyWhitespace: true,
  minifySyntax: true,
  keepNames: false,
  external: ['better-sqlite3'],
  plugins: [withoutSsh],
  // What is imported late stays in files of its own, which nobody reads who does not need them.
  splitting: true,
  legalComments: 'linked',
  logLevel: 'warning',
}

// What a build left that was killed.
for (const leftover of [output, replaced]) rmSync(leftover, { recursive: true, force: true })
await Promise.all([
  build({
    ...shared,
    entryPoints: { cli: 'src/cli/main.ts' },
    chunkNames: 'cli-[name]-[hash]',
    banner: { js: commonJsRequire },
  }),
  build({
    ...shared,
    entryPoints: { server: 'src/server/main.ts' },
    chunkNames: 'server-[name]-[hash]',
    banner: { js: commonJsNames },
  }),
])
if (existsSync(current)) renameSync(current, replaced)
renameSync(output, current)
rmSync(replaced, { recursive: true, force: true })
