import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../../core/ids.ts'
import { onDisk } from '../../../util/disk-error.ts'

/** Enough to look into, and nothing that fills a disk: the newest of them, up to a size together. */
const maxKept = 8
const maxKeptBytes = 2 * 2 ** 30
const keptMs = 7 * 24 * 3_600_000

const hex = (digest: Digest): string => digest.slice('sha256:'.length)

/** Where what did not have the digest it was sent under is kept, as evidence. */
const folderOf = (layoutFolder: string): string => join(layoutFolder, 'corrupt', 'refused')

/** Moves a refused file aside, named by what it is and by what it should have been; resolves with its path. */
export async function keepRefused(
  layoutFolder: string,
  file: string,
  digests: { readonly actual: Digest; readonly expected: Digest },
  now: number,
): Promise<string> {
  const folder = folderOf(layoutFolder)
  const aside = join(folder, `${hex(digests.actual)}-for-${hex(digests.expected)}`)
  await onDisk(folder, mkdir(folder, { recursive: true }))
  await onDisk(folder, rename(file, aside))
  await tidyRefused(layoutFolder, now)
  return aside
}

/** Removes evidence that is old, or too much. */
export async function tidyRefused(layoutFolder: string, now: number): Promise<void> {
  const folder = folderOf(layoutFolder)
  const names = await readdir(folder).catch((): string[] => [])
  const found = (await Promise.all(names.map((name) => lookAt(join(folder, name))))).flat()
  found.sort((a, b) => b.mtimeMs - a.mtimeMs)
  let keptBytes = 0
  for (const [index, { path, mtimeMs, size }] of found.entries()) {
    keptBytes += size
    if (index >= maxKept || keptBytes > maxKeptBytes || now - mtimeMs > keptMs)
      await rm(path, { force: true })
  }
}

/** Empty when another request has removed it meanwhile. */
const lookAt = (path: string) =>
  stat(path).then(
    ({ mtimeMs, size }) => [{ path, mtimeMs, size }],
    () => [],
  )
