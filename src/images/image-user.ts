import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { BasaltError } from '../errors.ts'
import { resolveInRoot } from './root-path.ts'

/** Who a process of an image runs as. */
export interface ImageUser {
  readonly uid: number
  readonly gid: number
  /** Further groups, sorted; empty where a group was named. */
  readonly additionalGids: readonly number[]
  /** `/` where the image does not say. */
  readonly home: string
}

const maxId = 2 ** 32 - 2
/** No image has a larger user database; a larger file is a trap. */
const maxBytes = 4 * 2 ** 20

/**
 * Resolves `uid`, `uid:gid`, `name` or `name:group`, in any mix, against the image's /etc/passwd and /etc/group, as
 * Docker does; null is root. Ids need not be in the files, names must: else `image.invalid`.
 */
export async function resolveUser(rootPath: string, user: string | null): Promise<ImageUser> {
  const [userPart = '', groupPart, ...rest] = (user ?? '').split(':')
  if (rest.length > 0 || groupPart === '' || (userPart === '' && groupPart !== undefined))
    throw invalid(`the user "${user}" is not of the form user or user:group`)

  const account = findAccount(rootPath, userPart === '' ? '0' : userPart)
  if (groupPart !== undefined)
    return { ...account.user, gid: findGroup(rootPath, groupPart), additionalGids: [] }
  const groups = account.name === null ? [] : databaseOf(rootPath, '/etc/group')
  const additionalGids = groups
    .filter(([, , , members = '']) => members.split(',').includes(account.name ?? ''))
    .flatMap(([, , gid]) => idOf(gid) ?? [])
  return { ...account.user, additionalGids: [...new Set(additionalGids)].sort((a, b) => a - b) }
}

interface Account {
  readonly name: string | null
  readonly user: Omit<ImageUser, 'additionalGids'>
}

function findAccount(rootPath: string, wanted: string): Account {
  const uid = idOf(wanted)
  const accounts = databaseOf(rootPath, '/etc/passwd')
  const found =
    accounts.find(([name]) => name === wanted) ??
    accounts.find(([, , id]) => uid !== null && idOf(id) === uid)
  if (found !== undefined) {
    const [name = '', , foundUid, foundGid, , home = ''] = found
    const ids = { uid: idOf(foundUid), gid: idOf(foundGid) }
    if (ids.uid === null || ids.gid === null)
      throw invalid(`the line of the user "${wanted}" in the image's /etc/passwd is malformed`)
    return { name, user: { uid: ids.uid, gid: ids.gid, home: home || '/' } }
  }
  if (uid !== null) return { name: null, user: { uid, gid: 0, home: '/' } }
  throw invalid(`the user "${wanted}" is not in the image's /etc/passwd`)
}

function findGroup(rootPath: string, wanted: string): number {
  const found = databaseOf(rootPath, '/etc/group').find(([name]) => name === wanted)
  const gid = idOf(found?.[2] ?? wanted)
  if (gid === null) throw invalid(`the group "${wanted}" is not in the image's /etc/group`)
  return gid
}

/** Lines of a colon-separated database (passwd(5), group(5)); none where the image has no such file. */
function databaseOf(rootPath: string, path: string): readonly (readonly string[])[] {
  return (readRootFile(rootPath, path) ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}

/**
 * A text file of a root, links followed as inside; null where there is none. The root must not change meanwhile,
 * which holds for every mounted root.
 */
export function readRootFile(rootPath: string, path: string): string | null {
  let descriptor: number
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    descriptor = openSync(resolveInRoot(rootPath, path), flags)
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return null
    throw cause instanceof BasaltError ? cause : invalid(`${path} of the image cannot be read`, cause)
  }
  try {
    const found = fstatSync(descriptor)
    if (!found.isFile() || found.size > maxBytes)
      throw invalid(`${path} of the image is no ordinary text file`)
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

function idOf(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null
  const id = Number(text)
  return id <= maxId ? id : null
}

const invalid = (message: string, cause?: unknown): BasaltError =>
  new BasaltError('image.invalid', {
    message,
    remedy: 'Name a user of the image, or a number, as `user` of the service.',
    ...(cause === undefined ? {} : { cause }),
  })
