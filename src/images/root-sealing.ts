import { chmod, mkdir, open, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import { fsyncFailed } from '../util/disk-error.ts'
import type { exec as execFunction } from '../util/exec.ts'

/** How roots are kept from being written: as an EROFS image, or as a folder mounted read-only on itself. */
export type Sealing = 'erofs' | 'folder'

export type Exec = typeof execFunction
type Abort = Pick<Op, 'signal'>

/** A fixed path: what the server's own environment says must not decide which programs run as root. */
const programPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface SealRequest {
  /** The unpacked root. */
  readonly root: string
  readonly file: string
  /** 32 hex digits or more; the image's UUID is made from them. */
  readonly id: string
  /** Seconds since the epoch, not before any time in the root. */
  readonly newestMtime: number
}

/** Writes a root as an EROFS image, durably. The same root and id give the same bytes. */
export async function sealErofs(exec: Exec, request: SealRequest, op: Abort): Promise<void> {
  const { file, root, id, newestMtime } = request
  const uuid = [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20, 32)].join(
    '-',
  )
  const result = await exec('mkfs.erofs', ['--quiet', '-x-1', '-U', uuid, file, root], {
    op,
    // Times up to this one are kept, later ones would be cut to it; it is also the image's own build time.
    env: { PATH: programPath, SOURCE_DATE_EPOCH: String(newestMtime) },
  })
  if (result.exitCode !== 0) throw await sealFailed(file, result.stderr.trim() || result.stdout.trim())
  await chmod(file, 0o400)
  const handle = await open(file, 'r')
  try {
    await handle.sync()
  } catch (cause) {
    throw fsyncFailed(file, cause)
  } finally {
    await handle.close()
  }
}

/** Makes an unpacked root durable in one go instead of file by file. */
export const syncTree = (exec: Exec, folder: string, op: Abort): Promise<void> =>
  run(exec, `${folder} could not be written to the disk`, ['sync', '-f', folder], op)

/** The kernel mounts the file itself where it can, else through a loop device that goes away with the mount. */
export const mountErofs = (exec: Exec, file: string, path: string, op: Abort): Promise<void> =>
  run(exec, `${file} could not be mounted`, ['mount', '-t', 'erofs', '-o', 'ro,nodev', file, path], op)

export const mountFolder = (exec: Exec, path: string, op: Abort): Promise<void> =>
  run(exec, `${path} could not be mounted read-only`, ['mount', '-o', 'bind,ro,nodev', path, path], op)

export const unmount = (exec: Exec, path: string, op: Abort): Promise<void> =>
  run(exec, `${path} could not be unmounted`, ['umount', path], op)

/** Asks the machine, not its version: makes, mounts and reads a tiny EROFS image. `folder` must not exist. */
export async function trySealing(exec: Exec, folder: string): Promise<Sealing> {
  // Its answer is for everybody, so nobody's abort ends it.
  const op = { signal: new AbortController().signal }
  const root = join(folder, 'root')
  const file = join(folder, 'root.erofs')
  const path = join(folder, 'mounted')
  try {
    await mkdir(root, { recursive: true })
    await mkdir(path)
    await writeFile(join(root, 'trial'), 'sealed')
    await sealErofs(exec, { root, file, id: '0'.repeat(32), newestMtime: 2 ** 32 }, op)
    await mountErofs(exec, file, path, op)
    try {
      return (await readFile(join(path, 'trial'), 'utf8')) === 'sealed' ? 'erofs' : 'folder'
    } finally {
      await unmount(exec, path, op)
    }
  } catch (cause) {
    if (cause instanceof BasaltError && cause.code === 'host.disk-full') throw cause
    return 'folder'
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function run(
  exec: Exec,
  failure: string,
  command: readonly [string, ...string[]],
  op: Abort,
): Promise<void> {
  const [program, ...args] = command
  const result = await exec(program, args, { op, env: { PATH: programPath } })
  if (result.exitCode === 0) return
  throw new BasaltError('image.root-failed', {
    message: `${failure}: ${result.stderr.trim() || `${program} gave ${result.exitCode}`}`,
    remedy: 'See what the machine has: `basalt doctor`.',
    details: { command, exitCode: result.exitCode },
  })
}

/** mkfs.erofs tells the reason only in words, so the disk is asked. */
async function sealFailed(file: string, reason: string): Promise<BasaltError> {
  const { bavail, bsize } = await statfs(join(file, '..'))
  const details = { file, reason }
  if (bavail * bsize < 2 ** 20)
    return new BasaltError('host.disk-full', {
      message: `no space is left to write ${file}`,
      remedy: 'Free space on that disk, or move the state folder with BASALT_HOME.',
      details,
    })
  return new BasaltError('image.root-failed', {
    message: `mkfs.erofs failed for ${file}: ${reason}`,
    details,
  })
}

/** In one step from the caller's view: the name goes away first, then what it named. */
export async function removeTree(path: string, removing: string): Promise<void> {
  await rename(path, removing)
  await rm(removing, { recursive: true, force: true })
}
