import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BasaltError } from '../../../errors.ts'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import { type AptSource, parseDeb822Sources, parseSourcesList } from './apt-sources.ts'

/** Where Debian is fetched from, in the order of trying. */
export interface DebianMirrors {
  /** Of the suite and of its `-updates`. */
  readonly archive: readonly Mirror[]
  /** Of `-security`; empty where the machine has none. */
  readonly security: readonly Mirror[]
}

export interface Mirror {
  /** Without a slash at the end; `dists/` and `pool/` lie below it. */
  readonly url: string
  readonly checkValidUntil: boolean
}

export interface MirrorSettings {
  /** Instead of apt's configuration. The security archive is `<mirror>-security` unless it is given too. */
  readonly mirror: string | undefined
  readonly securityMirror: string | undefined
  /** apt's folder: /etc/apt */
  readonly aptFolder: string
}

/**
 * The mirrors of this machine: from the settings, else from apt's configuration. Which suite apt follows does not
 * matter, as a mirror has them all. Sources of others than Debian are left out as far as their name shows it; those
 * that remain fail the check of the signature and are passed over then.
 */
export async function debianMirrors(settings: MirrorSettings): Promise<DebianMirrors> {
  if (settings.mirror !== undefined && settings.mirror !== '') {
    const url = settings.mirror.replace(/\/+$/, '')
    const security = settings.securityMirror ?? `${url}-security`
    return {
      archive: [{ url, checkValidUntil: true }],
      security: security === '' ? [] : [{ url: security.replace(/\/+$/, ''), checkValidUntil: true }],
    }
  }
  const sources = (await readSources(settings.aptFolder)).filter(
    ({ url, components }) => /^https?:\/\//.test(url) && components.includes('main'),
  )
  const archive = mirrorsOf(sources.filter(({ suite }) => archiveSuite.test(suite)))
  const security = mirrorsOf(sources.filter(({ suite }) => securitySuite.test(suite)))
  if (archive.length > 0) return { archive, security }
  throw new BasaltError('build.failed', {
    message: `no mirror of Debian is configured in ${settings.aptFolder}`,
    remedy:
      "Add one to apt's sources, or name one to the server: BASALT_DEBIAN_MIRROR=<address> basalt server restart",
    details: { aptFolder: settings.aptFolder },
  })
}

const releases =
  'buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable'
const archiveSuite = new RegExp(`^(?:${releases})(?:-updates)?$`)
const securitySuite = new RegExp(`^(?:${releases})(?:-security|/updates)$`)

/** Each address once; those that apt ties to Debian's own keys first. */
function mirrorsOf(sources: readonly AptSource[]): readonly Mirror[] {
  const byUrl = new Map<string, Mirror>()
  const debianFirst = sources.toSorted((a, b) => rank(a) - rank(b))
  for (const { url, checkValidUntil } of debianFirst)
    if (!byUrl.has(url)) byUrl.set(url, { url, checkValidUntil })
  return [...byUrl.values()]
}

const rank = ({ signedBy }: AptSource): number =>
  signedBy === null ? 1 : signedBy.includes('debian-archive') ? 0 : 2

async function readSources(aptFolder: string): Promise<readonly AptSource[]> {
  const parts = join(aptFolder, 'sources.list.d')
  const names = await readdir(parts).catch((): string[] => [])
  const files = [join(aptFolder, 'sources.list'), ...sortBytewise(names).map((name) => join(parts, name))]
  const sources: AptSource[] = []
  for (const file of files) {
    const parse = file.endsWith('.sources')
      ? parseDeb822Sources
      : file.endsWith('.list')
        ? parseSourcesList
        : null
    if (parse === null) continue
    sources.push(...parse(await readFile(file, 'utf8').catch(() => '')))
  }
  return sources
}
