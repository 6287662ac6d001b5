import { splitArguments } from '../resolve/split-arguments.ts'
import { type Detect, type Folder, leftOut } from './detected-app.ts'
import { hintsIn, loopbackNote } from './source-hints.ts'

interface PackageJson {
  readonly main?: unknown
  readonly scripts?: { readonly start?: unknown } | null
  readonly dependencies?: object | null
}

const usualFiles = [
  'server.js',
  'server.mjs',
  'server.cjs',
  'index.js',
  'index.mjs',
  'app.js',
  'main.js',
  'src/server.js',
  'src/index.js',
]

/** Without a package.json only these surely are for Node: an index.js may as well be for browsers. */
const serverFiles = ['server.js', 'server.mjs', 'server.cjs']

/** A package.json with a start script, a main file or a file of a usual name; or a server file alone. */
export const detectNodeApp: Detect = async (folder) => {
  const text =
    (await folder.read('package.json')) ?? (serverFiles.some((name) => folder.names.has(name)) ? '{}' : null)
  if (text === null) return null
  const notes: string[] = []
  const manifest = parsePackageJson(text)
  const start = typeof manifest.scripts?.start === 'string' ? manifest.scripts.start : null
  const fromScript = start === null ? null : nodeArguments(start)
  const run = fromScript ?? (await mainFile(folder, manifest))
  if (run === null) return null
  if (start !== null && fromScript === null)
    notes.push(`the start script \`${start}\` is not a plain \`node <file>\`; check the entrypoint`)
  const hints = hintsIn((await folder.read(run.file)) ?? '')
  const port = hints.port ?? 3000
  if (hints.loopbackOnly) notes.push(loopbackNote)
  if (hints.port === null) notes.push(`port ${port} is a guess`)
  if (Object.keys(manifest.dependencies ?? {}).length > 0)
    notes.push('its dependencies are copied from node_modules: run `npm ci --omit=dev` before `basalt build`')
  return {
    folder: folder.path,
    seenAs: 'Node',
    build: {
      base: 'debian',
      packages: ['nodejs'],
      copy: { from: folder.path, to: '/app', ignore: leftOut(folder.path, '*.test.js') },
      workdir: '/app',
      entrypoint: ['/usr/bin/node', ...run.words],
    },
    env: { NODE_ENV: 'production', ...(hints.readsPort && { PORT: String(port) }) },
    port,
    health: hints.healthPath ?? '/',
    notes,
  }
}

function parsePackageJson(text: string): PackageJson {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

interface Run {
  readonly file: string
  /** The arguments of node, the file among them. */
  readonly words: readonly string[]
}

/** `node --enable-source-maps server.js` to what follows `node`; null for anything else. */
function nodeArguments(script: string): Run | null {
  const split = splitArguments(script)
  if (!split.ok || split.arguments[0] !== 'node') return null
  const words = split.arguments.slice(1)
  const file = words.find((word) => /\.[cm]?js$/.test(word)) ?? words.find((word) => !word.startsWith('-'))
  return file === undefined ? null : { file, words }
}

async function mainFile(folder: Folder, { main }: PackageJson): Promise<Run | null> {
  const candidates = typeof main === 'string' && main !== '' ? [main, ...usualFiles] : usualFiles
  for (const file of candidates) if ((await folder.read(file)) !== null) return { file, words: [file] }
  return null
}
