import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { detectGoApp, detectRustApp } from './compiled-app.ts'
import type { Detect, DetectedApp, Folder } from './detected-app.ts'
import { detectDockerfile } from './dockerfile-app.ts'
import { detectNodeApp } from './node-app.ts'
import { detectPythonApp } from './python-app.ts'
import { detectStaticSite } from './static-app.ts'

/** The first that recognises a folder wins; a site may lie beside any program, so it comes last. */
const detectors: readonly Detect[] = [
  detectDockerfile,
  detectNodeApp,
  detectPythonApp,
  detectGoApp,
  detectRustApp,
  detectStaticSite,
]

const collections = new Set(['apps', 'services', 'packages', 'cmd'])
const uninteresting = new Set([
  'node_modules',
  'dist',
  'build',
  'target',
  'vendor',
  'test',
  'tests',
  'docs',
  'scripts',
])
const mostFolders = 200
const mostBytesRead = 256 * 1024

/** The application in the folder itself, else those in its subfolders (and in apps/, services/, packages/). */
export async function findApps(root: string): Promise<readonly DetectedApp[]> {
  const own = await detect(await look(root, '.'))
  if (own !== null) return [own]
  const found: DetectedApp[] = []
  for (const path of await subfolders(root)) {
    const app = await detect(await look(root, path))
    if (app !== null) found.push(app)
  }
  return found
}

async function detect(folder: Folder): Promise<DetectedApp | null> {
  for (const detector of detectors) {
    const app = await detector(folder)
    if (app !== null) return app
  }
  return null
}

async function subfolders(root: string): Promise<readonly string[]> {
  const direct = await foldersIn(root)
  const nested = await Promise.all(
    direct
      .filter((name) => collections.has(name))
      .map(async (name) => (await foldersIn(join(root, name))).map((inner) => `${name}/${inner}`)),
  )
  return [...direct.filter((name) => !collections.has(name)), ...nested.flat()].slice(0, mostFolders)
}

async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !uninteresting.has(entry.name))
    .map((entry) => entry.name)
    .toSorted()
}

async function look(root: string, path: string): Promise<Folder> {
  const names = new Set(await readdir(join(root, path)).catch(() => []))
  return { path, names, read: (name) => readStart(join(root, path, name)) }
}

/** Null for whatever cannot be read as a file: a proposal is no place for errors about other people's files. */
async function readStart(path: string): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (!(await file.stat()).isFile()) return null
      const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytesRead), 0, mostBytesRead)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await file.close()
    }
  } catch {
    return null
  }
}
