import { closeSync, openSync, readSync } from 'node:fs'
import { BasaltError } from '../errors.ts'

/** A member of an uncompressed tar file on disk, with the place of its content. Names are as the archive has them. */
export interface ScannedEntry {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'device'
  /** Of symbolic and hard links; else empty. */
  readonly target: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Whole seconds since the epoch. */
  readonly mtime: number
  readonly offset: number
  readonly sizeBytes: number
}

const blockSize = 512

/**
 * Reads the headers of a tar file: ustar, pax (POSIX.1-2001) and GNU long names. Content is skipped, so the cost is
 * in the number of members. Rejects with `image.invalid` what it cannot read faithfully: sparse files, multi-volume
 * archives, wrong checksums, a cut-off end.
 */
export function* scanTar(file: string): Generator<ScannedEntry> {
  const descriptor = openSync(file, 'r')
  try {
    yield* scan(descriptor, file)
  } finally {
    closeSync(descriptor)
  }
}

function* scan(descriptor: number, file: string): Generator<ScannedEntry> {
  const read = reader(descriptor, file)
  let pax: ReadonlyMap<string, string> = new Map()
  let longName: string | undefined
  let longTarget: string | undefined

  for (let position = 0; ; ) {
    const block = read(position, blockSize)
    if (block.every((byte) => byte === 0)) return
    assertChecksum(block, file, position)
    const type = String.fromCharCode(block[156] ?? 0)
    const sizeBytes = sizeOf(block, pax, file)
    const offset = position + blockSize
    position = offset + Math.ceil(sizeBytes / blockSize) * blockSize

    if (type === 'x') pax = parsePax(read(offset, sizeBytes), file)
    else if (type === 'L') longName = cString(read(offset, sizeBytes))
    else if (type === 'K') longTarget = cString(read(offset, sizeBytes))
    else if (type !== 'g') {
      yield {
        path: pax.get('path') ?? longName ?? ustarName(block),
        kind: kindOf(type, pax, file),
        target: pax.get('linkpath') ?? longTarget ?? text(block, 157, 100),
        mode: number(block, 100, 8, file) & 0o7777,
        uid: Number(pax.get('uid') ?? number(block, 108, 8, file)),
        gid: Number(pax.get('gid') ?? number(block, 116, 8, file)),
        mtime: Math.max(0, Math.floor(Number(pax.get('mtime') ?? number(block, 136, 12, file)))),
        offset,
        sizeBytes,
      }
      pax = new Map()
      longName = undefined
      longTarget = undefined
    }
  }
}

type Read = (position: number, length: number) => Buffer

/** Reads ahead in windows, so that an archive of small files does not cost a system call for each header. */
function reader(descriptor: number, file: string): Read {
  const window = Buffer.alloc(64 * 1024)
  let start = 0
  let filled = 0
  return (position, length) => {
    if (length <= window.length) {
      if (position < start || position + length > start + filled) {
        start = position
        filled = readSync(descriptor, window, 0, window.length, position)
      }
      if (position + length > start + filled) throw invalid(file, 'it ends too early')
      return Buffer.from(window.subarray(position - start, position - start + length))
    }
    if (length > 1 << 20) throw invalid(file, 'a header is larger than 1 MiB')
    const buffer = Buffer.alloc(length)
    if (readSync(descriptor, buffer, 0, length, position) < length) throw invalid(file, 'it ends too early')
    return buffer
  }
}

function kindOf(type: string, pax: ReadonlyMap<string, string>, file: string): ScannedEntry['kind'] {
  for (const key of pax.keys()) if (key.startsWith('GNU.sparse.')) throw invalid(file, 'it has a sparse file')
  switch (type) {
    case '0':
    case '\0':
    case '7':
      return 'file'
    case '1':
      return 'hardlink'
    case '2':
      return 'symlink'
    case '5':
      return 'directory'
    case '3':
    case '4':
    case '6':
      return 'device'
    default:
      throw invalid(file, `it has a member of the unknown type "${type}"`)
  }
}

/** Links and folders have no content, whatever their size field says. */
function sizeOf(block: Buffer, pax: ReadonlyMap<string, string>, file: string): number {
  const type = String.fromCharCode(block[156] ?? 0)
  if ('123456'.includes(type)) return 0
  const size = Number(pax.get('size') ?? number(block, 124, 12, file))
  if (!Number.isSafeInteger(size) || size < 0) throw invalid(file, 'a size is not a number')
  return size
}

/** Octal text, or base 256 where the first bit is set (GNU, for what octal cannot hold). */
function number(block: Buffer, start: number, length: number, file: string): number {
  const first = block[start] ?? 0
  if ((first & 0x80) !== 0) {
    let value = 0
    for (let index = start + 1; index < start + length; index++) value = value * 256 + (block[index] ?? 0)
    return value
  }
  const digits = text(block, start, length).trim()
  if (!/^[0-7]*$/.test(digits)) throw invalid(file, 'a number in a header is not octal')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function ustarName(block: Buffer): string {
  const name = text(block, 0, 100)
  // GNU's own magic ("ustar  ") has no prefix field.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

const text = (block: Buffer, start: number, length: number): string =>
  cString(block.subarray(start, start + length))

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end)
}

function parsePax(body: Buffer, file: string): Map<string, string> {
  const records = new Map<string, string>()
  for (let position = 0; position < body.length; ) {
    const blank = body.indexOf(0x20, position)
    const length = Number(body.toString('latin1', position, blank))
    const record = body.subarray(blank + 1, position + length - 1)
    const equals = record.indexOf(0x3d)
    if (blank === -1 || !(length > 0) || equals === -1) throw invalid(file, 'a pax header is malformed')
    records.set(record.toString('utf8', 0, equals), record.toString('utf8', equals + 1))
    position += length
  }
  return records
}

function assertChecksum(block: Buffer, file: string, position: number): void {
  let sum = 8 * 0x20
  for (let index = 0; index < blockSize; index++) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0
  }
  if (sum !== number(block, 148, 8, file)) throw invalid(file, `the header at byte ${position} is damaged`)
}

const invalid = (file: string, reason: string): BasaltError =>
  new BasaltError('image.invalid', { message: `${file} is not a tar archive that can be read: ${reason}` })
