import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { onDisk } from '../../../util/disk-error.ts'
import type { LockedPackage } from '../../package-lock.ts'
import type { DebianMirrors } from './debian-mirrors.ts'
import { download } from './download.ts'
import type { HttpGet } from './http-get.ts'

export interface DebPoolPorts {
  /** Archives by their SHA-256. */
  readonly folder: string
  readonly mirrors: () => Promise<DebianMirrors>
  readonly httpGet: HttpGet
}

/** The file of a package's archive, fetched if need be; its SHA-256 is checked each time. */
export async function debFile(item: LockedPackage, ports: DebPoolPorts, op: Op): Promise<string> {
  const file = join(ports.folder, `${item.sha256}.deb`)
  if ((await hashOf(file)) === item.sha256) return file
  await onDisk(ports.folder, mkdir(ports.folder, { recursive: true }))
  const what = `the package ${item.name} ${item.version}`
  op.notify?.({
    code: 'build.fetching',
    message: `${item.name} ${item.version}`,
    data: { package: item.name, version: item.version, sizeBytes: item.sizeBytes },
  })
  const { archive, security } = await ports.mirrors()
  // The security archive keeps nothing that went into a point release, and the other way round: so both are asked.
  const order = item.suite.endsWith('-security') ? [...security, ...archive] : [...archive, ...security]
  const urls = order.map(({ url }) => `${url}/${item.path.split('/').map(encodeURIComponent).join('/')}`)
  if (await download({ what, urls, sha256: item.sha256, sizeBytes: item.sizeBytes }, file, ports.httpGet, op))
    return file
  throw new BasaltError('build.lock-stale', {
    message: `no mirror has ${item.name} ${item.version} any more`,
    remedy: 'Resolve the packages anew: basalt build --update',
    details: { package: item.name, version: item.version, urls },
  })
}

async function hashOf(file: string): Promise<string | null> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
    return hash.digest('hex')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw cause
  }
}
