/**
 * Adds to package-lock.json the packages for other platforms that a registry did not offer when the lock was
 * written: `npm install` leaves them out without a word, and `npm ci` then refuses the lock on every machine.
 *
 * Usage: node scripts/complete-lock.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly license?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly [key: string]: unknown
}

interface Lock {
  readonly packages: Record<string, LockedPackage>
}

/** Names of optional dependencies that the lock lacks, each with the package that wants it. */
export function missingFromLock(lock: Lock): readonly { readonly name: string; readonly wantedBy: string }[] {
  return Object.entries(lock.packages).flatMap(([wantedBy, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !(`node_modules/${name}` in lock.packages))
      .filter((name) => !(`${wantedBy}/node_modules/${name}` in lock.packages))
      .map((name) => ({ name, wantedBy })),
  )
}

/** What npm reads to skip a package on this platform; the convention of names is that of napi-rs and biome. */
function platformOf(name: string): Readonly<Record<string, readonly string[]>> {
  const [os = '', cpu = '', abi = ''] = name.replace(/^.*\/(?:binding-|cli-)?/, '').split('-')
  const libc = abi.includes('musl') ? 'musl' : 'glibc'
  return { os: [os], cpu: [cpu], ...(os === 'linux' && abi !== '' ? { libc: [libc] } : {}) }
}

if (import.meta.main) {
  const file = join(resolve(import.meta.dirname, '..'), 'package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock
  const missing = missingFromLock(lock)
  for (const { name, wantedBy } of missing) {
    const parent = lock.packages[wantedBy]
    lock.packages[`node_modules/${name}`] = {
      version: parent?.optionalDependencies?.[name] ?? '',
      ...(parent?.dev === undefined ? {} : { dev: parent.dev }),
      ...(parent?.license === undefined ? {} : { license: parent.license }),
      optional: true,
      ...platformOf(name),
    }
  }
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
  console.log(`added ${missing.length} packages`)
}
