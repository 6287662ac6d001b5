import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ImageUser } from '../../../images/image-user.ts'
import { resolveUser } from '../../../images/image-user.ts'
import { tarMembers } from '../../../images/tar-members.ts'
import { temporaryName } from '../../../util/temporary-name.ts'
import type { DockerEngine } from '../engine/docker-engine.ts'

type Ids = Pick<ImageUser, 'uid' | 'gid'>

const databases = ['/etc/passwd', '/etc/group'] as const

/**
 * The numbers of the user that an image's processes run as, whom tmpfs and volumes are to belong to. Names are looked up
 * in the image, once, for which a container is made of it and removed again, without ever running.
 */
export type UserLookup = (image: string, user: string | null) => Promise<Ids>

/** @param labels of the containers, by which one that a crash has left is found */
export function createUserLookup(engine: DockerEngine, labels: Readonly<Record<string, string>>): UserLookup {
  const found = new Map<string, Promise<Ids>>()
  return async (image, user) => {
    const numbers = numbersOf(user)
    if (numbers !== null) return numbers
    const key = `${image} ${user}`
    const ids = found.get(key) ?? lookUp(engine, labels, image, user)
    found.set(key, ids)
    // A failure may have been the Engine's; what an image says never changes.
    ids.catch(() => found.delete(key))
    return ids
  }
}

async function lookUp(
  engine: DockerEngine,
  labels: Readonly<Record<string, string>>,
  image: string,
  user: string | null,
): Promise<Ids> {
  const container = await engine.create({
    name: `basalt-look-${temporaryName()}`,
    Image: image,
    Cmd: ['-'],
    Labels: labels,
    HostConfig: { NetworkMode: 'none' },
  })
  const root = await mkdtemp(join(tmpdir(), 'basalt-users-'))
  try {
    for (const path of databases) await copyFile(engine, container, path, join(root, path))
    return await resolveUser(root, user)
  } finally {
    await Promise.all([engine.remove(container), rm(root, { recursive: true, force: true })])
  }
}

/** Null where the image has to be asked. */
function numbersOf(user: string | null): Ids | null {
  if (user === null || user === '' || user === '0' || user === 'root') return { uid: 0, gid: 0 }
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(user) ?? []
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) }
}

async function copyFile(engine: DockerEngine, container: string, path: string, to: string): Promise<void> {
  const tar = await engine.archive(container, path)
  if (tar === null) return
  for await (const { header, content } of tarMembers(tar, { signal: new AbortController().signal })) {
    if (header.type !== 'file') continue
    const chunks: Buffer[] = []
    for await (const chunk of content) chunks.push(chunk)
    await mkdir(dirname(to), { recursive: true })
    await writeFile(to, Buffer.concat(chunks))
  }
}
