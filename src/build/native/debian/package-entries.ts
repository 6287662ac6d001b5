import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { diskFull } from '../../../util/disk-error.ts'
import type { exec as realExec } from '../../../util/exec.ts'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import type { FileRange, TarEntry } from '../../../util/tar-entry.ts'
import { type ScannedEntry, scanTar } from '../../../util/tar-scanner.ts'
import type { LockedPackage } from '../../package-lock.ts'
import { certificateBundle } from './certificate-bundle.ts'
import { isTrimmed } from './trimmed-paths.ts'
import { mergedPath } from './usr-merge.ts'

/**
 * What a Debian package puts into an image, sorted by path; contents are read from `folder`, which must stay until they
 * are written. Maintainer scripts are not run; what would have been configured by them is not there. Rejects with
 * `build.lock-stale` an archive that is of another package than the lock says.
 */
export async function packageEntries(
  item: LockedPackage,
  deb: string,
  folder: string,
  ports: { readonly exec: typeof realExec },
  op: Op,
): Promise<readonly TarEntry[]> {
  const { name } = item
  const files = await unpackTar('--fsys-tarfile', deb, join(folder, `${name}.files.tar`), ports.exec, op)
  const control = await unpackTar('--ctrl-tarfile', deb, join(folder, `${name}.control.tar`), ports.exec, op)
  const entries = normalised(files, deb)
  const mtime = Math.max(0, ...[...entries.values()].map((entry) => entry.mtime))
  for (const entry of [...certificateBundle(entries, mtime), ...statusEntries(item, control, mtime)]) {
    entries.set(entry.path, entry)
  }
  return sortBytewise([...entries.keys()]).flatMap((path) => entries.get(path) ?? [])
}

async function unpackTar(
  option: string,
  deb: string,
  file: string,
  exec: typeof realExec,
  op: Op,
): Promise<string> {
  // The shell is here for the redirection alone: an archive may be larger than what memory should hold.
  const { exitCode, stderr } = await exec(
    'sh',
    ['-c', 'exec env LC_ALL=C dpkg-deb "$0" "$1" >"$2"', option, deb, file],
    {
      op,
    },
  )
  if (exitCode === 0) return file
  if (exitCode === 127) {
    throw new BasaltError('host.tool-missing', {
      message: 'the program dpkg-deb is not installed',
      remedy: 'Install it: apt-get install dpkg',
      details: { tool: 'dpkg-deb' },
    })
  }
  if (stderr.includes('No space left on device')) throw diskFull(file)
  throw new BasaltError('build.failed', {
    message: `${deb} cannot be unpacked: ${stderr.trim()}`,
    remedy: 'Delete it, and build again: it is fetched anew.',
    details: { file: deb },
  })
}

function normalised(file: string, deb: string): Map<string, TarEntry> {
  const entries = new Map<string, TarEntry>()
  /** Path to all the names that share its content. */
  const links = new Map<string, string[]>()
  for (const scanned of scanTar(file)) {
    const path = imagePath(scanned.path)
    if (path === null || isTrimmed(path, scanned.kind)) continue
    if (scanned.kind === 'hardlink') {
      const target = imagePath(scanned.target) ?? ''
      links.set(target, [...(links.get(target) ?? []), path])
    } else if (!(scanned.kind === 'directory' && entries.has(path))) {
      entries.set(path, entryOf(scanned, path, { file, deb }))
    }
  }
  for (const [target, names] of links) linkNames(entries, target, names, deb)
  return entries
}

/** Relative to the root, with `/bin` and the like as parts of `/usr`; null for the root and for those links themselves. */
function imagePath(path: string): string | null {
  const clean = posix.normalize(`/${path}`).slice(1).replace(/\/$/, '')
  return clean === '' ? null : mergedPath(clean)
}

function entryOf(
  scanned: ScannedEntry,
  path: string,
  from: { readonly file: string; readonly deb: string },
): TarEntry {
  const { mode, uid, gid, mtime, offset, sizeBytes } = scanned
  const member = { path, mode, uid, gid, mtime }
  switch (scanned.kind) {
    case 'directory':
      return { ...member, kind: 'directory' }
    case 'symlink':
      return { ...member, kind: 'symlink', target: scanned.target }
    case 'file':
      return { ...member, kind: 'file', content: { file: from.file, offset, sizeBytes } }
    case 'device':
    case 'hardlink':
      throw new BasaltError('image.invalid', { message: `${from.deb} has a device or pipe at /${path}` })
  }
}

/** Of names with one content the first by bytes holds it, as a link must come after what it links to. */
function linkNames(
  entries: Map<string, TarEntry>,
  target: string,
  names: readonly string[],
  deb: string,
): void {
  const held = entries.get(target)
  if (held?.kind !== 'file') {
    throw new BasaltError('image.invalid', { message: `${deb} has a link to /${target}, which is not in it` })
  }
  const [first = target, ...others] = sortBytewise([target, ...names])
  entries.set(first, { ...held, path: first })
  for (const path of others) entries.set(path, { ...linkMember(held), path, kind: 'hardlink', target: first })
}

const linkMember = ({ mode, uid, gid, mtime }: TarEntry) => ({ mode, uid, gid, mtime })

const statusFolder = 'var/lib/dpkg/status.d'

/** What scanners read to know the packages of an image without a dpkg database, as distroless images have it. */
function* statusEntries(item: LockedPackage, control: string, mtime: number): Generator<TarEntry> {
  const { name } = item
  const member = { mode: 0o644, uid: 0, gid: 0, mtime, kind: 'file' } as const
  for (const { path, kind, offset, sizeBytes } of scanTar(control)) {
    const content: FileRange = { file: control, offset, sizeBytes }
    if (kind !== 'file') continue
    if (posix.basename(path) === 'control') {
      const text = textOf(content)
      assertSame(item, text)
      yield { ...member, path: `${statusFolder}/${name}`, content: withStatus(text) }
    }
    if (posix.basename(path) === 'md5sums')
      yield { ...member, path: `${statusFolder}/${name}.md5sums`, content }
  }
}

/** The archive's own control file says nothing about being installed; a dpkg database would. */
const withStatus = (text: string): Buffer =>
  Buffer.from(text.replace(/^(Package: .*\n)/m, '$1Status: install ok installed\n'))

const textOf = ({ file, offset, sizeBytes }: FileRange): string =>
  readFileSync(file).toString('utf8', offset, offset + sizeBytes)

/** The hash says that these are the bytes that were locked; the names beside it go into the bill of materials, too. */
function assertSame({ name, version, architecture }: LockedPackage, control: string): void {
  const field = (key: string) => new RegExp(`^${key}:[ \\t]*(.*?)[ \\t]*$`, 'mi').exec(control)?.[1]
  const found = [field('Package'), field('Version'), field('Architecture')].join(' ')
  const locked = [name, version, architecture].join(' ')
  if (found === locked) return
  throw new BasaltError('build.lock-stale', {
    message: `the archive that basalt.lock has for ${locked} is of ${found}`,
    remedy: 'Restore basalt.lock from version control, or resolve the packages anew: basalt build --update',
    details: { locked, found },
  })
}
