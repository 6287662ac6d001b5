import { readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { stringify } from 'yaml'
import { digestOf } from '../core/digest.ts'
import type { Digest } from '../core/ids.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { removeLeftovers } from '../util/remove-leftovers.ts'
import { createImageLock, type ImageLock } from './image-lock.ts'
import type { LockedPackage, LockedSet, PackageLock, PackageRequest } from './package-lock.ts'
import { type LockContent, type LockDocument, lockUnreadable, parseLock } from './parse-lock.ts'

/** What is pinned, so that a lock without images is what it was before there were any. */
const header = (hasImages: boolean): string =>
  `# Made by \`basalt build\`: every Debian package by version and SHA-256${hasImages ? ', every image by digest' : ''}. Commit it.\n`

/** All that basalt.lock holds. */
export interface BuildLock {
  readonly packages: PackageLock
  readonly images: ImageLock
}

/**
 * Reads basalt.lock; a missing one is an empty one. Rejects a damaged one with `build.lock-stale`, unless all of it is to
 * be resolved anew.
 */
export async function readLock(file: string, options: { readonly update: boolean }): Promise<BuildLock> {
  // Before anything of the folder is copied: what a killed run was writing is no source of anybody's.
  await removeLeftovers(dirname(file), `.${basename(file)}.`)
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw lockUnreadable(file, (cause as Error).message, cause)
  })
  const { sets, images } = text === null ? nothing : contentOf(file, text, options)
  return { packages: createPackageLock(sets, options), images: createImageLock(images, options) }
}

/**
 * Writes what the run used, if that is not what the file says already: then it resolves with true. Nothing is written
 * for a run that needs no lock.
 * The file is the folder's owner's, as they have to edit, commit and delete it: the server that writes is root.
 */
export async function writeLock(file: string, { packages, images }: BuildLock): Promise<boolean> {
  const [sets, pinned] = [packages.pinned(), images.pinned()]
  if (sets.length === 0 && pinned.length === 0) return false
  const text = header(pinned.length > 0) + stringify(documentOf(sets, pinned), { lineWidth: 0 })
  const before = await readFile(file, 'utf8').catch(() => null)
  if (before === text) return false
  const owner = process.getuid?.() === 0 ? { owner: await stat(dirname(file)) } : {}
  await writeFileAtomic(file, text, owner)
  return true
}

/** What the packages are, whenever they were looked up; null where no image has any. */
export function packageLockDigest(lock: PackageLock): Digest | null {
  const sets = lock.sets()
  return sets.length === 0 ? null : digestOf(sets.map(({ indexes: _, ...set }) => set))
}

export function createPackageLock(
  locked: readonly LockedSet[],
  { update }: { readonly update: boolean },
): PackageLock {
  const known = new Map(update ? [] : locked.map((set) => [keyOf(set), set]))
  const kept = new Map<string, LockedSet>()
  const elsewhere = (): readonly LockedSet[] => {
    const wanted = new Set([...kept.values()].map(wantedOf))
    return [...known.values()].filter((set) => wanted.has(wantedOf(set)) && !kept.has(keyOf(set)))
  }
  return {
    update,
    find: (request) => kept.get(keyOf(request)) ?? known.get(keyOf(request)) ?? null,
    indexDate: (suite) => latest(locked.flatMap(({ indexes }) => indexes[suite] ?? [])),
    keep: (set) => void kept.set(keyOf(set), set),
    sets: () => byKey([...kept.values()]),
    pinned: () => byKey([...kept.values(), ...elsewhere()]),
  }
}

/** A request without its architecture. */
const wantedOf = ({ suite, requested }: PackageRequest): string => [suite, ...requested].join(' ')

const byKey = (sets: readonly LockedSet[]): readonly LockedSet[] =>
  sets.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))

const latest = (dates: readonly string[]): string | null =>
  dates
    .filter((date) => !Number.isNaN(Date.parse(date)))
    .toSorted((a, b) => Date.parse(b) - Date.parse(a))[0] ?? null

const keyOf = ({ suite, architecture, requested }: PackageRequest): string =>
  [suite, architecture, ...requested].join(' ')

/** A package is described once, however many sets it is in, so that a change of it is one change of the file. */
function documentOf(sets: readonly LockedSet[], images: ReturnType<ImageLock['pinned']>): LockDocument {
  const packages = new Map(sets.flatMap((set) => set.packages.map((item) => [idOf(item), item])))
  return {
    version: 1,
    ...(images.length === 0 ? {} : { images: sorted(images) }),
    sets: sets.map((set) => ({
      suite: set.suite,
      architecture: set.architecture,
      requested: [...set.requested],
      indexes: sorted(Object.entries(set.indexes)),
      packages: set.packages.map(idOf),
    })),
    packages: sorted(
      [...packages].map(([id, { suite, path, sha256, sizeBytes }]) => [
        id,
        { suite, path, sha256, size: sizeBytes },
      ]),
    ),
  }
}

const idOf = ({ name, version, architecture }: LockedPackage): string => `${name}_${version}_${architecture}`

const sorted = <Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> =>
  Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))

const nothing: LockContent = { sets: [], images: {} }

function contentOf(file: string, text: string, { update }: { readonly update: boolean }): LockContent {
  try {
    return parseLock(file, text)
  } catch (cause) {
    if (update) return nothing
    throw cause
  }
}
