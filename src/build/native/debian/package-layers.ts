import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Op } from '../../../core/op.ts'
import type { ContentStore } from '../../../images/content-store.ts'
import { onDisk } from '../../../util/disk-error.ts'
import type { exec as realExec } from '../../../util/exec.ts'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import type { TarEntry } from '../../../util/tar-entry.ts'
import { writeTar } from '../../../util/tar-writer.ts'
import { temporaryName } from '../../../util/temporary-name.ts'
import type { LockedPackage } from '../../package-lock.ts'
import { nativeBuilderVersion } from '../builder-version.ts'
import type { Layer, LayerCache } from '../layer-cache.ts'
import { layerPathOf } from '../layer-paths.ts'
import { type DebPoolPorts, debFile } from './deb-pool.ts'
import { packageEntries } from './package-entries.ts'

export interface PackageLayerPorts {
  readonly store: ContentStore
  readonly exec: typeof realExec
  readonly pool: DebPoolPorts
  /** For what is unpacked on the way. */
  readonly scratchFolder: string
}

/** Runtimes stop at 127 layers; the base and what is copied need some, too. */
const maxPackageLayers = 100

/** What becomes one layer. */
export interface LayerGroup {
  /** Everything that decides the bytes. */
  readonly inputs: string
  readonly packages: readonly LockedPackage[]
}

/**
 * A layer for each package, which all images with that package share. Of more than a hundred packages the smallest
 * ones go into one layer together.
 */
export function layerGroups(packages: readonly LockedPackage[]): readonly LayerGroup[] {
  if (packages.length <= maxPackageLayers) return packages.map((item) => groupOf([item]))
  const largestFirst = packages.toSorted((a, b) => b.sizeBytes - a.sizeBytes || (a.name < b.name ? -1 : 1))
  const alone = new Set(largestFirst.slice(0, maxPackageLayers - 1))
  const others = packages.filter((item) => !alone.has(item))
  return [...packages.filter((item) => alone.has(item)).map((item) => groupOf([item])), groupOf(others)]
}

const groupOf = (packages: readonly LockedPackage[]): LayerGroup => ({
  inputs: [nativeBuilderVersion, ...packages.map(inputOf)].join(' '),
  packages,
})

/** The names too, as a layer that was made under one name must not be found under another. */
const inputOf = ({ name, version, architecture, sha256 }: LockedPackage): string =>
  `${name}_${version}_${architecture}=${sha256}`

/** The layer of a group: from the cache, or made of the packages' archives. */
export async function packageLayer(
  group: LayerGroup,
  cache: LayerCache,
  ports: PackageLayerPorts,
  op: Op,
): Promise<Layer> {
  const createdBy = titleOf(group.packages)
  const { inputs } = group
  const place = `packages-${createHash('sha256').update(inputs).digest('hex')}`
  const record = await cache.find(place, inputs)
  if (record?.paths !== undefined) return { ...record, paths: record.paths, createdBy, cached: true }

  await onDisk(ports.scratchFolder, mkdir(ports.scratchFolder, { recursive: true }))
  const folder = join(ports.scratchFolder, temporaryName())
  await onDisk(folder, mkdir(folder))
  try {
    const entries = await entriesOf(group.packages, folder, ports, op)
    const blob = await ports.store.put(
      Readable.from(writeTar(entries), { objectMode: false, signal: op.signal }),
    )
    const paths = entries.map(layerPathOf)
    await cache.save(place, { inputs, ...blob, paths })
    return { ...blob, paths, createdBy, cached: false }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function entriesOf(
  packages: readonly LockedPackage[],
  folder: string,
  ports: PackageLayerPorts,
  op: Op,
): Promise<readonly TarEntry[]> {
  const entries = new Map<string, TarEntry>()
  for (const item of packages) {
    const deb = await debFile(item, ports.pool, op)
    for (const entry of await packageEntries(item, deb, folder, ports, op)) {
      // Packages share folders; of a folder the first one counts.
      if (!(entry.kind === 'directory' && entries.has(entry.path))) entries.set(entry.path, entry)
    }
  }
  return sortBytewise([...entries.keys()]).flatMap((path) => entries.get(path) ?? [])
}

function titleOf(packages: readonly LockedPackage[]): string {
  const [first] = packages
  return packages.length === 1 && first
    ? `package ${first.name} ${first.version}`
    : `${packages.length} further packages`
}
