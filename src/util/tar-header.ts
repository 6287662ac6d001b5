import { invariant } from '../errors.ts'
import type { TarEntry } from './tar-entry.ts'

const blockSize = 512
const typeFlags = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const
const maxOctal7 = 0o7777777
const maxOctal11 = 0o77777777777

/**
 * The header blocks of one member: a ustar header (POSIX.1-1988), preceded by a pax extended header (POSIX.1-2001)
 * where a name is long or not ASCII, or a number is too large. No GNU extensions.
 */
export function tarHeader(entry: TarEntry, sizeBytes: number): Buffer {
  invariant(
    Number.isSafeInteger(entry.mtime) && entry.mtime >= 0,
    `${entry.path}: mtime is not whole seconds`,
  )
  invariant(entry.path !== '' && !entry.path.startsWith('/'), `"${entry.path}" is not a relative path`)
  const name = entry.kind === 'directory' ? `${entry.path}/` : entry.path
  const target = entry.kind === 'symlink' || entry.kind === 'hardlink' ? entry.target : ''
  const split = splitName(name)

  const records: [string, string][] = []
  if (split === null) records.push(['path', name])
  if (!isAscii(target) || target.length > 100) records.push(['linkpath', target])
  if (sizeBytes > maxOctal11) records.push(['size', String(sizeBytes)])
  if (entry.uid > maxOctal7) records.push(['uid', String(entry.uid)])
  if (entry.gid > maxOctal7) records.push(['gid', String(entry.gid)])
  if (entry.mtime > maxOctal11) records.push(['mtime', String(entry.mtime)])

  const header = ustarBlock({
    ...(split ?? { prefix: '', name: asciiName(name) }),
    mode: entry.mode,
    uid: entry.uid > maxOctal7 ? 0 : entry.uid,
    gid: entry.gid > maxOctal7 ? 0 : entry.gid,
    sizeBytes: sizeBytes > maxOctal11 ? 0 : sizeBytes,
    mtime: entry.mtime > maxOctal11 ? 0 : entry.mtime,
    typeFlag: typeFlags[entry.kind],
    target: asciiName(target),
  })
  return records.length === 0 ? header : Buffer.concat([paxBlocks(records), header])
}

interface UstarFields {
  readonly prefix: string
  readonly name: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  readonly mtime: number
  readonly typeFlag: string
  readonly target: string
}

function ustarBlock(fields: UstarFields): Buffer {
  const block = Buffer.alloc(blockSize)
  block.write(fields.name, 0, 100, 'latin1')
  block.write(octal(fields.mode & 0o7777, 7), 100, 'latin1')
  block.write(octal(fields.uid, 7), 108, 'latin1')
  block.write(octal(fields.gid, 7), 116, 'latin1')
  block.write(octal(fields.sizeBytes, 11), 124, 'latin1')
  block.write(octal(fields.mtime, 11), 136, 'latin1')
  block.write(fields.typeFlag, 156, 'latin1')
  block.write(fields.target, 157, 100, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(octal(0, 7), 329, 'latin1')
  block.write(octal(0, 7), 337, 'latin1')
  block.write(fields.prefix, 345, 155, 'latin1')
  // The checksum counts its own field as blanks.
  block.fill(' ', 148, 156)
  let sum = 0
  for (let index = 0; index < blockSize; index++) sum += block[index] ?? 0
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return block
}

/** A pax extended header for the member that follows: sorted records "length key=value\n". */
function paxBlocks(records: readonly (readonly [string, string])[]): Buffer {
  const body = Buffer.from(
    [...records]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => paxRecord(key, value))
      .join(''),
  )
  const header = ustarBlock({
    prefix: '',
    name: 'PaxHeaders/member',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: body.byteLength,
    mtime: 0,
    typeFlag: 'x',
    target: '',
  })
  return Buffer.concat([header, body, Buffer.alloc((blockSize - (body.byteLength % blockSize)) % blockSize)])
}

/** The length counts itself, so it may grow by the digit that it adds. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const restBytes = Buffer.byteLength(rest)
  let length = restBytes + String(restBytes).length
  if (restBytes + String(length).length !== length) length = restBytes + String(length).length
  return `${length}${rest}`
}

/** Where a name goes into ustar's `prefix` and `name`; null where it does not fit or is not ASCII. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | null {
  if (!isAscii(name)) return null
  if (name.length <= 100) return { prefix: '', name }
  // A split is at a slash; the name after it must not be empty.
  for (
    let slash = name.lastIndexOf('/', name.length - 2);
    slash > 0;
    slash = name.lastIndexOf('/', slash - 1)
  ) {
    if (name.length - slash - 1 > 100) return null
    if (slash <= 155) return { prefix: name.slice(0, slash), name: name.slice(slash + 1) }
  }
  return null
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)
/** What a reader without pax sees. */
const asciiName = (text: string): string => text.replaceAll(/[^\x00-\x7f]/g, '_').slice(0, 100)
