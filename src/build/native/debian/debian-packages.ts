import { join } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore } from '../../../images/content-store.ts'
import { createConcurrencyLimit } from '../../../util/concurrency-limit.ts'
import type { exec as realExec } from '../../../util/exec.ts'
import { removeLeftovers } from '../../../util/remove-leftovers.ts'
import { createSharedJobs } from '../../../util/shared-jobs.ts'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import type { LockedSet, PackageLock, PackageRequest } from '../../package-lock.ts'
import type { Layer } from '../layer-cache.ts'
import { notifyLayer } from '../layer-progress.ts'
import type { PackageSource } from '../package-source.ts'
import { baseLayer } from './base-layer.ts'
import type { DebianMirrors, Mirror } from './debian-mirrors.ts'
import type { HttpGet } from './http-get.ts'
import { fetchIndex } from './index-fetcher.ts'
import { type PackageIndex, readPackageIndex } from './package-index.ts'
import { layerGroups, packageLayer } from './package-layers.ts'
import { resolvePackages } from './resolver.ts'
import { fetchRelease } from './suite-release.ts'

export interface DebianPorts {
  readonly store: ContentStore
  readonly cacheFolder: string
  readonly lock: PackageLock
  /** As Debian names it: `amd64`, `arm64`, `armhf`. */
  readonly architecture: string
  readonly mirrors: () => Promise<DebianMirrors>
  readonly httpGet: HttpGet
  readonly exec: typeof realExec
  /** The keys that indexes must be signed with, for gpgv. */
  readonly keyring: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** In every Debian image, as scanners and programs look for its os-release. */
const alwaysIncluded = 'base-files'
const layersAtOnce = 4

/** What the suites offered, with the dates of their indexes. */
interface Offer {
  readonly index: PackageIndex
  readonly dates: Readonly<Record<string, string>>
}

/** Debian packages as layers. Builds at the same time share indexes, resolutions and layers. */
export function createDebianPackages(ports: DebianPorts): PackageSource {
  const offers = createSharedJobs<string, Offer>()
  const sets = createSharedJobs<string, LockedSet>()
  const jobs = createSharedJobs<string, Layer>()
  const limit = createConcurrencyLimit(layersAtOnce)
  const layerPorts = {
    store: ports.store,
    exec: ports.exec,
    pool: { folder: join(ports.cacheFolder, 'debs'), mirrors: ports.mirrors, httpGet: ports.httpGet },
    scratchFolder: join(ports.cacheFolder, 'scratch'),
  }
  const folders = ['debs', 'indexes', 'scratch'].map((name) => join(ports.cacheFolder, name))
  let tidied: Promise<unknown> | undefined

  const findSet = async (request: PackageRequest, op: Op): Promise<LockedSet> => {
    const known = ports.lock.find(request)
    if (known !== null) return known
    notifyResolving(request, op)
    const offer = await offers.run(request.suite, op.signal, (signal) =>
      offerOf(request.suite, ports, { ...op, signal }),
    )
    return resolvedSet(request, offer)
  }

  return {
    async layers({ suite, packages, service }, cache, op) {
      await (tidied ??= Promise.all(folders.map((folder) => removeLeftovers(folder))))
      const requested = [...new Set(sortBytewise(packages))]
      const request: PackageRequest = { suite, architecture: ports.architecture, requested }
      const set = await sets.run(JSON.stringify(request), op.signal, (signal) =>
        findSet(request, { ...op, signal }),
      )
      ports.lock.keep(set)
      const base = await jobs.run('filesystem', op.signal, () => baseLayer({ store: ports.store, cache }))
      const layers = await allOrNone(layerGroups(set.packages), op, async (group, { signal }) => {
        const layer = await jobs.run(group.inputs, signal, (shared) =>
          limit(() => {
            shared.throwIfAborted()
            return packageLayer(group, cache, layerPorts, { ...op, signal: shared })
          }),
        )
        notifyLayer(layer, service, op)
        return layer
      })
      return { layers: [base, ...layers], packages: set.packages }
    },
  }
}

const notifyResolving = ({ suite, requested }: PackageRequest, op: Op): void =>
  op.notify?.({
    code: 'build.resolving',
    message: `packages from ${suite}: ${requested.join(' ')}`,
    data: { suite, requested },
  })

function resolvedSet(request: PackageRequest, { index, dates }: Offer): LockedSet {
  const requested = [...request.requested, alwaysIncluded]
  const packages = resolvePackages(index, { ...request, requested }).map(
    ({ name, version, architecture, suite, path, sha256, sizeBytes }) => {
      return { name, version, architecture, suite, path, sha256, sizeBytes }
    },
  )
  return { ...request, indexes: dates, packages }
}

/** On a failure the others are aborted, unless another build waits for the same. */
async function allOrNone<Item, Result>(
  items: readonly Item[],
  op: Op,
  work: (item: Item, op: Op) => Promise<Result>,
): Promise<readonly Result[]> {
  const failed = new AbortController()
  const shared: Op = { ...op, signal: AbortSignal.any([op.signal, failed.signal]) }
  const running = items.map((item) =>
    work(item, shared).catch((cause: unknown) => {
      failed.abort(cause)
      throw cause
    }),
  )
  await Promise.allSettled(running)
  if (failed.signal.aborted) throw failed.signal.reason
  return Promise.all(running)
}

/** Suites that get their security updates like all others. */
const rolling = ['sid', 'unstable']

/**
 * The packages of a suite with its `-updates` and `-security`. The latter must be there where the machine has a mirror
 * for it: a missing answer must not hold back security updates without a word.
 */
async function offerOf(suite: string, ports: DebianPorts, op: Op): Promise<Offer> {
  const mirrors = await ports.mirrors()
  const release = await fetchRelease(suite, mirrors.archive, ports, op)
  if (release === null) throw absent(suite, mirrors.archive)
  const updates = await fetchRelease(`${suite}-updates`, [release.mirror], ports, op)
  if (updates === null && !rolling.includes(suite)) notifyWithoutUpdates(suite, release.mirror, op)
  const security = await fetchRelease(`${suite}-security`, mirrors.security, ports, op)
  if (security === null && mirrors.security.length > 0 && !rolling.includes(suite)) {
    throw absent(`${suite}-security`, mirrors.security)
  }
  const releases = [release, updates, security].filter((found) => found !== null)

  const cacheFolder = join(ports.cacheFolder, 'indexes')
  const indexes: { readonly suite: string; readonly compact: string }[] = []
  for (const found of releases) {
    const compact = await fetchIndex(found, ports.architecture, { httpGet: ports.httpGet, cacheFolder }, op)
    indexes.push({ suite: found.suite, compact })
  }
  return {
    index: readPackageIndex(indexes),
    dates: Object.fromEntries(releases.map((found) => [found.suite, found.date])),
  }
}

/** Not refused, as suites that are no longer supported lose theirs. */
const notifyWithoutUpdates = (suite: string, { url }: Mirror, op: Op): void =>
  op.notify?.({
    code: 'build.warning',
    message: `${url} has no ${suite}-updates: packages come from ${suite} and its security updates alone`,
    data: { suite, mirror: url },
  })

const absent = (suite: string, mirrors: readonly Mirror[]): BasaltError =>
  new BasaltError('build.failed', {
    message: `no mirror has the Debian suite ${suite}`,
    remedy: 'Use the name of a release that is still on the mirrors, for example `bookworm` or `trixie`.',
    details: { suite, mirrors: mirrors.map(({ url }) => url) },
  })
