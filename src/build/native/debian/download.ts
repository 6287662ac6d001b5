import { createHash } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { onDisk } from '../../../util/disk-error.ts'
import { temporaryName } from '../../../util/temporary-name.ts'
import type { HttpGet } from './http-get.ts'

export interface Wanted {
  /** For people: `the package libc6 2.36-9`. */
  readonly what: string
  /** Tried in this order. */
  readonly urls: readonly string[]
  readonly sha256: string
  /** Nothing is read beyond this. */
  readonly sizeBytes: number
}

/** The largest index of a suite has a quarter of a MiB; it is read before anything of it can be checked. */
const maxTextBytes = 8 * 2 ** 20

/**
 * Fetches a file whose SHA-256 is known, and puts it into place when it is right. Resolves with false when every
 * address answered that it has no such file. Rejects with `build.hash-mismatch` or `network.unreachable`.
 */
export async function download(wanted: Wanted, file: string, httpGet: HttpGet, op: Op): Promise<boolean> {
  const temporary = `${file}.${temporaryName()}.tmp`
  let failure: BasaltError | null = null
  try {
    for (const url of wanted.urls) {
      try {
        const sha256 = await fetchInto(url, temporary, wanted.sizeBytes, httpGet, op)
        if (sha256 === null) continue
        if (sha256 === wanted.sha256) {
          await onDisk(file, rename(temporary, file))
          return true
        }
        failure ??= mismatch(wanted, url, sha256)
      } catch (cause) {
        op.signal.throwIfAborted()
        if (cause instanceof BasaltError) throw cause
        failure ??= unreachable(wanted.what, url, cause)
      }
    }
  } finally {
    await rm(temporary, { force: true })
  }
  if (failure !== null) throw failure
  return false
}

/** The whole text of an address; null where it has none. Rejects with `network.unreachable`. */
export async function downloadText(
  what: string,
  url: string,
  httpGet: HttpGet,
  op: Op,
): Promise<string | null> {
  try {
    const { status, body } = await httpGet(url, op.signal)
    const chunks: Uint8Array[] = []
    for await (const chunk of limited(body, maxTextBytes)) chunks.push(chunk)
    if (isAbsent(status)) return null
    if (status !== 200) throw unexpected(status)
    return Buffer.concat(chunks).toString('utf8')
  } catch (cause) {
    op.signal.throwIfAborted()
    if (cause instanceof BasaltError) throw cause
    throw unreachable(what, url, cause)
  }
}

async function fetchInto(
  url: string,
  file: string,
  sizeBytes: number,
  httpGet: HttpGet,
  op: Op,
): Promise<string | null> {
  const { status, body } = await httpGet(url, op.signal)
  const hash = createHash('sha256')
  const handle = await onDisk(file, open(file, 'w'))
  try {
    // What a server says of its failure may be longer than a small file.
    const limit = status === 200 ? sizeBytes : maxTextBytes
    for await (const chunk of limited(body, limit)) {
      if (status !== 200) continue
      hash.update(chunk)
      await onDisk(file, handle.writeFile(chunk))
    }
  } finally {
    await handle.close()
  }
  if (isAbsent(status)) return null
  if (status !== 200) throw unexpected(status)
  return hash.digest('hex')
}

/** A mirror, or whoever is on the way, must not fill the memory or the disk. */
async function* limited(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0
  for await (const chunk of body) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > maxBytes) throw tooLong(maxBytes)
    yield chunk
  }
}

const isAbsent = (status: number): boolean => status === 404 || status === 410
const tooLong = (maxBytes: number): Error => new Error(`the answer has more than ${maxBytes} bytes`)
const unexpected = (status: number): Error => new Error(`the server answered ${status}`)

const mismatch = ({ what, sha256 }: Wanted, url: string, found: string): BasaltError =>
  new BasaltError('build.hash-mismatch', {
    message: `${what} from ${url} has the SHA-256 ${found}, not ${sha256}`,
    remedy: 'Try again; if it stays, the mirror or something on the way to it is broken: use another mirror.',
    details: { url, expected: sha256, actual: found },
  })

const unreachable = (what: string, url: string, cause: unknown): BasaltError =>
  new BasaltError('network.unreachable', {
    message: `${what} could not be fetched from ${new URL(url).origin}: ${reasonOf(cause)}`,
    remedy:
      'Check the network, or name a mirror that can be reached to the server: BASALT_DEBIAN_MIRROR=<address> basalt server restart. What basalt.lock names and was built once before needs no network.',
    details: { what, url },
    cause,
  })

/** The innermost message: undici wraps what the socket said. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause instanceof Error ? cause.cause : cause
  return inner.message === '' ? ((inner as NodeJS.ErrnoException).code ?? inner.name) : inner.message
}
