import { basename, dirname } from 'node:path/posix'
import { BasaltError } from '../errors.ts'
import { type ScannedEntry, scanTar } from '../util/tar-scanner.ts'
import { opaqueWhiteout, whiteoutPrefix } from './whiteout.ts'

/** A member of a layer, checked. Paths are relative to the root, normalised, without `..`; '' is the root itself. */
export type LayerEntry = { readonly path: string } & (
  | ({ readonly kind: 'file'; readonly offset: number; readonly sizeBytes: number } & Metadata)
  | ({ readonly kind: 'directory' } & Metadata)
  | ({ readonly kind: 'symlink'; readonly target: string } & Metadata)
  /** `target` is a path like `path`. */
  | { readonly kind: 'hardlink'; readonly target: string }
  /** Removes what lower layers have at `path`. */
  | { readonly kind: 'whiteout' }
  /** Removes what lower layers have below `path`. */
  | { readonly kind: 'opaque' }
)

export interface Metadata {
  /** The twelve permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Whole seconds since the epoch. */
  readonly mtime: number
}

export interface LayerLimits {
  readonly entries: number
  /** Of all files together, and of the archive itself. */
  readonly sizeBytes: number
}

export const defaultLayerLimits: LayerLimits = { entries: 2_000_000, sizeBytes: 64 * 2 ** 30 }

const maxId = 2 ** 32 - 2

/**
 * Reads an uncompressed layer (image-spec, layer.md). Rejects with `image.invalid` what no honest layer has: paths
 * that climb or start at the host's root, devices, FIFOs, sparse files, names that are not UTF-8.
 *
 * @param name what errors call the layer
 */
export function* readLayer(file: string, name: string, limits = defaultLayerLimits): Generator<LayerEntry> {
  let entries = 0
  let sizeBytes = 0
  for (const scanned of scanTar(file)) {
    if (++entries > limits.entries) throw invalid(name, `it has more than ${limits.entries} entries`)
    sizeBytes += scanned.sizeBytes
    if (sizeBytes > limits.sizeBytes)
      throw invalid(name, `its files are larger than ${limits.sizeBytes} bytes`)
    const entry = checkEntry(scanned, name)
    if (entry !== null) yield entry
  }
}

/** Null for members that mean nothing here: the bookkeeping of AUFS, which old layers still have. */
function checkEntry(scanned: ScannedEntry, layer: string): LayerEntry | null {
  // The root itself may be called so; below it only an archive that means the host's own files has such names.
  if (scanned.path.startsWith('/') && scanned.path !== '/')
    throw invalid(layer, `"${scanned.path}" is an absolute path`)
  const path = normalise(scanned.path, layer)
  const whiteout = whiteoutOf(path, layer)
  if (whiteout !== undefined) return whiteout
  switch (scanned.kind) {
    case 'file':
      if (path === '') throw invalid(layer, 'its root is a file')
      return {
        path,
        kind: 'file',
        offset: scanned.offset,
        sizeBytes: scanned.sizeBytes,
        ...metadata(scanned, layer),
      }
    case 'directory':
      return { path, kind: 'directory', ...metadata(scanned, layer) }
    case 'symlink':
      if (path === '') throw invalid(layer, 'its root is a symbolic link')
      if (scanned.target === '') throw invalid(layer, `/${path} is a symbolic link to nothing`)
      assertText(scanned.target, layer)
      return { path, kind: 'symlink', target: scanned.target, ...metadata(scanned, layer) }
    case 'hardlink': {
      const target = normalise(scanned.target, layer)
      if (path === '' || target === '') throw invalid(layer, 'its root is a hard link')
      return { path, kind: 'hardlink', target }
    }
    case 'device':
      throw invalid(layer, `/${path} is a device or a FIFO; an image may only have files, folders and links`)
  }
}

function whiteoutOf(path: string, layer: string): LayerEntry | null | undefined {
  const name = basename(path)
  const parent = dirname(path) === '.' ? '' : dirname(path)
  if (parent.split('/').some((segment) => segment.startsWith(whiteoutPrefix)))
    throw invalid(layer, `/${path} lies below a whiteout`)
  if (!name.startsWith(whiteoutPrefix)) return undefined
  if (name === opaqueWhiteout) return { path: parent, kind: 'opaque' }
  if (name.startsWith('.wh..wh.')) return null
  const hidden = name.slice(whiteoutPrefix.length)
  if (hidden === '' || hidden === '.' || hidden === '..')
    throw invalid(layer, `/${path} is a whiteout of "${hidden}"`)
  return { path: parent === '' ? hidden : `${parent}/${hidden}`, kind: 'whiteout' }
}

function normalise(path: string, layer: string): string {
  assertText(path, layer)
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.')
  if (segments.includes('..')) throw invalid(layer, `"${path}" leads upwards`)
  if (Buffer.byteLength(path) > 4095 || segments.some((segment) => Buffer.byteLength(segment) > 255))
    throw invalid(layer, `the name "${path.slice(0, 60)}…" is too long`)
  return segments.join('/')
}

function assertText(text: string, layer: string): void {
  if (text.includes('\0')) throw invalid(layer, `the name ${JSON.stringify(text)} has a NUL byte`)
  // The decoder puts U+FFFD where bytes are no UTF-8; two such names could become one.
  if (text.includes('\uFFFD')) throw invalid(layer, `the name "${text}" is not UTF-8`)
}

function metadata({ path, mode, uid, gid, mtime }: ScannedEntry, layer: string): Metadata {
  for (const id of [uid, gid])
    if (!Number.isInteger(id) || id < 0 || id > maxId) throw invalid(layer, `"${path}" has the owner ${id}`)
  if (!Number.isSafeInteger(mtime)) throw invalid(layer, `"${path}" has no valid time`)
  return { mode, uid, gid, mtime }
}

const invalid = (layer: string, reason: string): BasaltError =>
  new BasaltError('image.invalid', {
    message: `layer ${layer} cannot be used: ${reason}`,
    remedy: 'Build the image again with a tool that you trust.',
    details: { layer },
  })
