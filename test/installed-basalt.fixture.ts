import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

/** A Basalt of another time. */
export interface OtherVersion {
  readonly version: string
  /** The one API version that its CLI and its server speak. */
  readonly api: number
}

/**
 * Bundles the sources as they are now into a folder, laid out as an installed package is, and returns its
 * `bin/basalt`. So a test never runs a stale dist/, and never replaces the one that somebody else runs.
 */
export function installBasalt(folder: string, other?: OtherVersion): string {
  mkdirSync(join(folder, 'scripts'), { recursive: true })
  // Other users of the machine run it too.
  chmodSync(folder, 0o755)
  for (const name of ['node_modules', 'schema']) symlinkSync(join(root, name), join(folder, name))
  for (const name of ['package.json', 'bin', 'scripts/build.ts'])
    cpSync(join(root, name), join(folder, name), { recursive: true })
  if (other === undefined) symlinkSync(join(root, 'src'), join(folder, 'src'))
  else {
    cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true })
    replace(join(folder, 'package.json'), /"version": "[^"]+"/, `"version": "${other.version}"`)
    const protocol = join(folder, 'src/server/protocol.ts')
    replace(protocol, /apiVersion = \d+/, `apiVersion = ${other.api}`)
    replace(protocol, /oldestApiVersion = \d+/, `oldestApiVersion = ${other.api}`)
  }
  execFileSync(process.execPath, [join(folder, 'scripts/build.ts')], { stdio: 'inherit' })
  return join(folder, 'bin/basalt')
}

function replace(file: string, pattern: RegExp, replacement: string): void {
  const text = readFileSync(file, 'utf8')
  if (!pattern.test(text)) throw new Error(`${file} has nothing like ${pattern.source}`)
  writeFileSync(file, text.replace(pattern, replacement))
}
