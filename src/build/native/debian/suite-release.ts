import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { exec as realExec } from '../../../util/exec.ts'
import type { PackageLock } from '../../package-lock.ts'
import type { Mirror } from './debian-mirrors.ts'
import { downloadText } from './download.ts'
import type { HttpGet } from './http-get.ts'

/** What a suite's signed InRelease says. */
export interface SuiteRelease {
  readonly suite: string
  readonly mirror: Mirror
  /** As written: `Sat, 11 Jul 2026 10:16:37 UTC`. */
  readonly date: string
  readonly byHash: boolean
  /** By path below `dists/<suite>/`. */
  readonly files: ReadonlyMap<string, ListedFile>
}

export interface ListedFile {
  readonly sha256: string
  readonly sizeBytes: number
}

export interface ReleasePorts {
  readonly httpGet: HttpGet
  readonly exec: typeof realExec
  /** The keys that are trusted, for gpgv. */
  readonly keyring: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Knows the dates of the indexes that were used last. */
  readonly lock: Pick<PackageLock, 'indexDate'>
}

/** A clock that is as wrong as this is still no reason to refuse an index. */
const clockSkewMs = 24 * 60 * 60 * 1000

/**
 * Fetches and checks the InRelease of a suite, from the first mirror that has a good one. Null where no mirror has the
 * suite. Rejects with `network.unreachable`, `build.signature-invalid`.
 */
export async function fetchRelease(
  suite: string,
  mirrors: readonly Mirror[],
  ports: ReleasePorts,
  op: Op,
): Promise<SuiteRelease | null> {
  let failure: BasaltError | null = null
  for (const mirror of mirrors) {
    try {
      const text = await downloadText(
        `the index of ${suite}`,
        `${mirror.url}/dists/${suite}/InRelease`,
        ports.httpGet,
        op,
      )
      if (text !== null) return await checkedRelease(text, suite, mirror, ports, op)
    } catch (cause) {
      op.signal.throwIfAborted()
      // A mirror of somebody else, or one that is down, does not matter while another one is good.
      if (!(cause instanceof BasaltError)) throw cause
      failure ??= cause
    }
  }
  if (failure !== null) throw failure
  return null
}

async function checkedRelease(
  text: string,
  suite: string,
  mirror: Mirror,
  ports: ReleasePorts,
  op: Op,
): Promise<SuiteRelease> {
  const signed = await verifiedText(text, suite, mirror, ports, op)
  const fields = new Map<string, string>()
  const files = new Map<string, ListedFile>()
  let section = ''
  for (const line of signed.split('\n')) {
    const [, key, value = ''] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? []
    if (key !== undefined) {
      section = key
      fields.set(key, value.trim())
    } else if (section === 'SHA256') {
      const [sha256, size, path] = line.trim().split(/\s+/)
      if (sha256 !== undefined && path !== undefined) files.set(path, { sha256, sizeBytes: Number(size) })
    }
  }
  // A good signature on the index of another suite is no good here.
  if (fields.get('Codename') !== suite && fields.get('Suite') !== suite) {
    throw untrusted(suite, mirror, `it is the index of ${fields.get('Codename') ?? 'something else'}`)
  }
  const validUntil = Date.parse(fields.get('Valid-Until') ?? '')
  if (mirror.checkValidUntil && validUntil < ports.now()) {
    throw untrusted(suite, mirror, `it was valid until ${fields.get('Valid-Until')} only`)
  }
  const date = fields.get('Date') ?? ''
  assertDate(date, suite, mirror, ports)
  return {
    suite,
    mirror,
    date,
    byHash: fields.get('Acquire-By-Hash') === 'yes',
    files,
  }
}

/**
 * An index that was good once stays signed for ever: whoever serves an old one holds back security updates. The date of
 * the one before is in basalt.lock.
 */
function assertDate(date: string, suite: string, mirror: Mirror, { now, lock }: ReleasePorts): void {
  const time = Date.parse(date)
  if (Number.isNaN(time)) throw untrusted(suite, mirror, `its date is "${date}"`)
  if (time > now() + clockSkewMs) throw untrusted(suite, mirror, `its date is in the future: ${date}`)
  const before = lock.indexDate(suite)
  if (before === null || time >= Date.parse(before)) return
  throw untrusted(
    suite,
    mirror,
    `it is of ${date}, older than the one of ${before} that basalt.lock was made from`,
    'Try again in some hours, or use another mirror. To go back on purpose, delete basalt.lock.',
  )
}

/**
 * The part of a clear-signed text that is signed. At least one signature must be good and none bad; signatures by keys
 * that the keyring does not have yet are no fault (an index is signed by the old and the new key for a while).
 */
async function verifiedText(
  text: string,
  suite: string,
  mirror: Mirror,
  ports: ReleasePorts,
  op: Op,
): Promise<string> {
  const { keyring } = ports
  const args = ['--keyring', keyring, '--status-fd', '2', '--output', '-', '-']
  const { stdout, stderr } = await ports.exec('gpgv', args, { input: text, op })
  const good = /^\[GNUPG:\] GOODSIG /m.test(stderr) && /^\[GNUPG:\] VALIDSIG /m.test(stderr)
  if (good && !/^\[GNUPG:\] (?:BADSIG|REVKEYSIG) /m.test(stderr) && stdout !== '') return stdout
  const reason = stderr
    .split('\n')
    .filter((line) => line.startsWith('gpgv: ') && !/Signature made|using \w+ key/.test(line))
    .map((line) => line.slice('gpgv: '.length))
  throw untrusted(suite, mirror, reason.at(-1) ?? `no key in ${keyring} signed it`)
}

const untrusted = (
  suite: string,
  mirror: Mirror,
  reason: string,
  remedy = 'Install the newest debian-archive-keyring and check the clock and the mirror; BASALT_DEBIAN_KEYRING names another keyring.',
): BasaltError =>
  new BasaltError('build.signature-invalid', {
    message: `the index of ${suite} from ${mirror.url} cannot be trusted: ${reason}`,
    remedy,
    details: { suite, mirror: mirror.url, reason },
  })
