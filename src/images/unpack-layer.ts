import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  openSync,
  readdirSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import { diskError } from '../util/disk-error.ts'
import { defaultLayerLimits, type LayerEntry, type LayerLimits, readLayer } from './layer-reader.ts'
import { lstat, resolveInRoot } from './root-path.ts'
import type { RootWriter } from './root-writer.ts'

/** An uncompressed tar whose bytes were verified. */
export interface LayerFile {
  readonly file: string
  /** What errors call the layer. */
  readonly name: string
}

type Abort = Pick<Op, 'signal'>

/** For so long an unpacker may hold the event loop. */
const sliceMs = 4

/**
 * Applies one layer to a root (image-spec, layer.md, "Applying Changesets"); call it for the lowest layer first. Needs
 * root, for the owners. Nobody else may touch the folder meanwhile.
 *
 * Calls to the file system are synchronous, several times faster for many small files; other work gets its turn every
 * few milliseconds.
 */
export async function unpackLayer(
  writer: RootWriter,
  layer: LayerFile,
  op: Abort,
  limits: LayerLimits = defaultLayerLimits,
): Promise<void> {
  const context: Context = { writer, layer, written: new Set(), buffer: Buffer.allocUnsafe(1 << 20) }
  const source = openSync(layer.file, constants.O_RDONLY)
  try {
    let sliceStart = performance.now()
    for (const entry of readLayer(layer.file, layer.name, limits)) {
      if (entry.kind === 'file') await writeFile(context, entry, source)
      else applyEntry(context, entry)
      if (performance.now() - sliceStart < sliceMs) continue
      await yieldToEventLoop()
      op.signal.throwIfAborted()
      sliceStart = performance.now()
    }
  } catch (cause) {
    if (!op.signal.aborted) throw diskError(writer.root, cause)
    throw new BasaltError('request.interrupted', { message: 'unpacking an image was interrupted', cause })
  } finally {
    closeSync(source)
  }
}

interface Context {
  readonly writer: RootWriter
  readonly layer: LayerFile
  /** What this layer wrote, with all folders above it: its whiteouts spare that. */
  readonly written: Set<string>
  readonly buffer: Buffer
}

type Of<Kind extends LayerEntry['kind']> = LayerEntry & { readonly kind: Kind }

function applyEntry(context: Context, entry: Exclude<LayerEntry, Of<'file'>>): void {
  const { writer } = context
  switch (entry.kind) {
    case 'opaque':
      return removeLowerChildren(context, resolveInRoot(writer.root, entry.path))
    case 'whiteout':
      return removeLower(context, writer.locate(entry.path))
    case 'directory': {
      const path = entry.path === '' ? writer.root : writer.place(entry.path)
      writer.putFolder(path, entry)
      return markWritten(context, path)
    }
    case 'symlink':
      return makeSymlink(context, entry)
    case 'hardlink':
      return makeHardlink(context, entry)
  }
}

async function writeFile(context: Context, entry: Of<'file'>, source: number): Promise<void> {
  const { writer, buffer } = context
  const path = writer.place(entry.path)
  writer.remove(path)
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW
  const descriptor = openSync(path, flags, 0o600)
  try {
    for (let done = 0; done < entry.sizeBytes; ) {
      const wanted = Math.min(buffer.length, entry.sizeBytes - done)
      const count = readSync(source, buffer, 0, wanted, entry.offset + done)
      if (count === 0) throw invalid(context, `it ends within /${entry.path}`)
      for (let put = 0; put < count; ) put += writeSync(descriptor, buffer, put, count - put)
      done += count
      if (done < entry.sizeBytes) await yieldToEventLoop()
    }
    // The owner first: changing it takes set-user-id bits away.
    fchownSync(descriptor, entry.uid, entry.gid)
    fchmodSync(descriptor, entry.mode)
    futimesSync(descriptor, entry.mtime, entry.mtime)
  } finally {
    closeSync(descriptor)
  }
  writer.seen(entry.mtime)
  markWritten(context, path)
}

function makeSymlink(context: Context, entry: Of<'symlink'>): void {
  const { writer } = context
  const path = writer.place(entry.path)
  assertStaysInside(context, path, entry)
  writer.remove(path)
  symlinkSync(entry.target, path)
  lchownSync(path, entry.uid, entry.gid)
  lutimesSync(path, entry.mtime, entry.mtime)
  writer.seen(entry.mtime)
  markWritten(context, path)
}

/** A relative link that climbs above the root can only be meant for the host. Absolute ones start at the root. */
function assertStaysInside(context: Context, path: string, entry: Of<'symlink'>): void {
  if (entry.target.startsWith('/')) return
  let depth = relative(context.writer.root, dirname(path)).split('/').filter(Boolean).length
  for (const segment of entry.target.split('/')) {
    if (segment === '..') depth--
    else if (segment !== '' && segment !== '.') depth++
    if (depth < 0)
      throw invalid(context, `/${entry.path} is a symbolic link out of the root: ${entry.target}`)
  }
}

function makeHardlink(context: Context, entry: Of<'hardlink'>): void {
  const { writer } = context
  const source = writer.locate(entry.target)
  const path = writer.place(entry.path)
  const found = lstat(source)
  // What the link replaces goes first, and must not take its own target with it.
  const isLost = source === path || source.startsWith(`${path}/`)
  if (found === undefined || found.isDirectory() || isLost)
    throw invalid(context, `/${entry.path} is a hard link to /${entry.target}, which is no other file`)
  writer.remove(path)
  linkSync(source, path)
  markWritten(context, path)
}

/** Removes what lower layers left and spares what this layer wrote. */
function removeLower(context: Context, path: string): void {
  if (!context.written.has(path)) context.writer.remove(path)
  else removeLowerChildren(context, path)
}

function removeLowerChildren(context: Context, path: string): void {
  if (!lstat(path)?.isDirectory()) return
  for (const name of readdirSync(path)) removeLower(context, join(path, name))
}

function markWritten({ writer, written }: Context, path: string): void {
  for (let current = path; current !== writer.root && !written.has(current); current = dirname(current))
    written.add(current)
}

const invalid = ({ layer }: Context, reason: string): BasaltError =>
  new BasaltError('image.invalid', {
    message: `layer ${layer.name} cannot be used: ${reason}`,
    remedy: 'Build the image again with a tool that you trust.',
    details: { layer: layer.name },
  })
