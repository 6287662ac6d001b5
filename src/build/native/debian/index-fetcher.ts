import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { onDisk } from '../../../util/disk-error.ts'
import { temporaryName } from '../../../util/temporary-name.ts'
import { download } from './download.ts'
import type { HttpGet } from './http-get.ts'
import { compactPackages } from './package-index.ts'
import type { SuiteRelease } from './suite-release.ts'

/** Raised when the compact form changes. */
const formatVersion = 1
/** Smallest first. */
const compressions = ['.xz', '.gz'] as const

/** Only `main`: what resolves must not depend on what else a machine has switched on. */
const component = 'main'

/**
 * The compact form of a suite's package index, from the cache or fetched by the hash that the signed InRelease names.
 */
export async function fetchIndex(
  release: SuiteRelease,
  architecture: string,
  ports: { readonly httpGet: HttpGet; readonly cacheFolder: string },
  op: Op,
): Promise<string> {
  const folder = `${component}/binary-${architecture}`
  const name = compressions
    .map((end) => `Packages${end}`)
    .find((name) => release.files.has(`${folder}/${name}`))
  const listed = release.files.get(`${folder}/${name}`)
  if (name === undefined || listed === undefined) {
    throw new BasaltError('build.failed', {
      message: `${release.suite} has no packages for ${architecture}`,
      details: { suite: release.suite, architecture },
    })
  }
  const { sha256 } = listed
  await onDisk(ports.cacheFolder, mkdir(ports.cacheFolder, { recursive: true }))
  const cached = join(ports.cacheFolder, `${sha256}.v${formatVersion}.tsv`)
  const known = await readFile(cached, 'utf8').catch(() => null)
  if (known !== null) return known

  const what = `the package list of ${release.suite}`
  op.notify?.({ code: 'build.fetching', message: what, data: { suite: release.suite } })
  const base = `${release.mirror.url}/dists/${release.suite}/${folder}`
  const urls = [...(release.byHash ? [`${base}/by-hash/SHA256/${sha256}`] : []), `${base}/${name}`]
  const compressed = join(ports.cacheFolder, `${temporaryName()}${name.slice('Packages'.length)}`)
  try {
    if (!(await download({ what, urls, ...listed }, compressed, ports.httpGet, op)))
      throw absent(what, release)
    const compact = await compactPackages(decompressed(compressed, op))
    await writeFileAtomic(cached, compact)
    return compact
  } finally {
    await rm(compressed, { force: true })
  }
}

async function* decompressed(file: string, op: Op): AsyncIterable<Uint8Array> {
  if (file.endsWith('.gz')) {
    yield* createReadStream(file).pipe(createGunzip())
    return
  }
  const child = spawn('xz', ['-dc', file], { stdio: ['ignore', 'pipe', 'ignore'], signal: op.signal })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) =>
      reject(cause.code === 'ENOENT' ? xzMissing(cause) : cause),
    )
    child.on('close', resolve)
  })
  // A failure is reported below; until then it must not count as unhandled.
  ended.catch(() => {})
  yield* child.stdout
  const exitCode = await ended
  if (exitCode !== 0)
    throw new BasaltError('build.failed', { message: `xz could not read ${file} (exit code ${exitCode})` })
}

const xzMissing = (cause: unknown): BasaltError =>
  new BasaltError('host.tool-missing', {
    message: 'the program xz is not installed',
    remedy: 'Install it: apt-get install xz-utils',
    details: { tool: 'xz' },
    cause,
  })

const absent = (what: string, { mirror }: SuiteRelease): BasaltError =>
  new BasaltError('network.unreachable', {
    message: `${what} is not on ${mirror.url} any more: it is being updated`,
    remedy: 'Run the command again in some minutes.',
    details: { mirror: mirror.url },
  })
