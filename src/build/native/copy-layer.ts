import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ContentStore } from '../../images/content-store.ts'
import { writeTar } from '../../util/tar-writer.ts'
import { type Member, type Placement, placeCopy } from './copy-placement.ts'
import { type FileFacts, type WalkedEntry, walkCopy } from './copy-walk.ts'
import type { Layer, LayerCache } from './layer-cache.ts'
import { layerPathOf } from './layer-paths.ts'

export interface CopyInputs extends Placement {
  readonly folder: string
  readonly builderVersion: string
  readonly signal: AbortSignal
}

export interface CopyPorts {
  readonly store: ContentStore
  readonly cache: LayerCache
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * A file changed this shortly before it was read may have changed again since, without a new time stamp (git calls
 * such an entry racily clean). 2 s is the coarsest clock of a file system in use.
 */
const racyMs = 2_000

/**
 * The layer of one `copy`. The bytes depend on paths, contents, the owner's x bits and the recipe only. Whether they
 * can have changed is told by lstat: inode, size and both times, so that an unchanged folder is not read again.
 */
export async function copyLayer(inputs: CopyInputs, ports: CopyPorts): Promise<Layer> {
  const startedAt = ports.now()
  const walked = await walkCopy(inputs.folder, inputs.spec, inputs.signal)
  const members = placeCopy(walked, inputs)
  const createdBy = `copy ${inputs.spec.from} to ${inputs.spec.to}`
  const paths = members.map((member) => layerPathOf(member.entry))

  const recordPlace = placeOf(inputs)
  const snapshot = snapshotOf(members, inputs)
  const record = await ports.cache.find(recordPlace, snapshot)
  if (record !== null) return { ...record, cached: true, createdBy, paths }

  const archive = writeTar(members.map((member) => member.entry))
  const { digest, sizeBytes } = await ports.store.put(
    Readable.from(archive, { signal: inputs.signal, objectMode: false }),
  )
  if (newestChangeMs(walked) < startedAt - racyMs) {
    await ports.cache.save(recordPlace, { inputs: snapshot, digest, sizeBytes })
  }
  return { digest, sizeBytes, cached: false, createdBy, paths }
}

/** The record of a copy has one place, so that the cache does not grow with every change. */
const placeOf = ({ folder, spec }: CopyInputs): string =>
  `copy-${sha256(JSON.stringify([folder, spec.from, spec.to, spec.mode, spec.uid, spec.gid, spec.ignore]))}`

function snapshotOf(members: readonly Member[], { builderVersion, mtime, spec }: CopyInputs): string {
  const lines = [JSON.stringify([builderVersion, mtime, spec.uid, spec.gid])]
  for (const { entry, source } of members) {
    const target = entry.kind === 'symlink' ? entry.target : ''
    // Of folders and links, all that matters is in the line already; a folder's times change with ignored files too.
    const stamp = source?.kind === 'file' ? stampOf(source.facts) : ''
    lines.push(`${entry.path}\0${entry.kind}\0${entry.mode}\0${target}\0${stamp}`)
  }
  return sha256(lines.join('\0\0'))
}

const stampOf = ({ device, inode, sizeBytes, mtimeNs, ctimeNs }: FileFacts): string =>
  `${device} ${inode} ${sizeBytes} ${mtimeNs} ${ctimeNs}`

function newestChangeMs(walked: readonly WalkedEntry[]): number {
  let newest = 0n
  for (const { kind, facts } of walked) if (kind === 'file' && facts.ctimeNs > newest) newest = facts.ctimeNs
  return Number(newest / 1_000_000n)
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
