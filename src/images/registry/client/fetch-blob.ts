import { addAbortSignal, Readable } from 'node:stream'
import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { wrongBytes } from './fetch-manifest.ts'
import type { HttpAnswer } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { failed, refusalIn, unreachable } from './registry-error.ts'
import type { RegistrySession } from './registry-session.ts'
import type { Transfer } from './transfer-progress.ts'

export interface BlobTarget {
  /** A layout of the operation's own, on the disk of the store. */
  readonly staging: ContentStore
  /** Takes a file that is not what it should be out of `staging`; resolves with its new place. */
  keepEvidence(file: string, expected: Digest): Promise<string>
}

/**
 * Brings one blob into `staging`, hashed on its way. Where the connection breaks it goes on at the byte where it broke.
 * Rejects with `registry.wrong-bytes` for anything but the bytes that the descriptor promises.
 */
export async function fetchBlob(
  session: RegistrySession,
  repository: string,
  descriptor: Descriptor,
  target: BlobTarget,
  progress: Transfer,
  op: Op,
): Promise<void> {
  const { digest, size } = descriptor
  const bytes = blobBytes(session, repository, descriptor, progress, op)
  const stored = await target.staging.put(Readable.from(bytes, { objectMode: false }))
  if (stored.digest === digest && stored.sizeBytes === size) return
  const evidence = await target.keepEvidence(target.staging.path(stored.digest), digest)
  throw wrongBytes(session.registry, digest, `${stored.digest} (${stored.sizeBytes} bytes)`, evidence)
}

/** No more than the promised size and one chunk: what is longer is wrong already. */
async function* blobBytes(
  session: RegistrySession,
  repository: string,
  { digest, size }: Descriptor,
  progress: Transfer,
  op: Op,
): AsyncGenerator<Buffer> {
  let offset = 0
  let failures = 0
  // The last byte of a blob without any cannot be waited for.
  for (let first = true; first || offset < size; first = false) {
    const answer = await session.send({
      method: 'GET',
      path: `${repository}/blobs/${digest}`,
      access: { repository, actions: 'pull' },
      headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
    })
    let skip = await startOf(answer, offset, session, digest)
    // The session's own signal knows nothing of another blob that failed.
    addAbortSignal(op.signal, answer.body)
    let broken: unknown = new Error('the answer ended too early')
    try {
      for await (const piece of answer.body) {
        const chunk = (piece as Buffer).subarray(skip)
        skip -= (piece as Buffer).byteLength - chunk.byteLength
        if (chunk.byteLength === 0) continue
        offset += chunk.byteLength
        failures = 0
        progress.advance(chunk.byteLength)
        yield chunk
        if (offset > size) return
      }
    } catch (cause) {
      if (op.signal.aborted) throw interrupted(digest, op)
      if (cause instanceof BasaltError) throw cause
      broken = cause
    }
    if (offset < size)
      await session.pause(++failures, unreachable(session.registry, `the blob ${digest}`, broken))
  }
}

/** How many bytes of an answer are to be passed over: a registry without ranges sends everything again. */
async function startOf(
  answer: HttpAnswer,
  offset: number,
  { registry }: RegistrySession,
  digest: Digest,
): Promise<number> {
  const { status, headers } = answer
  if (status === 200) return offset
  const what = `the blob ${digest}`
  if (status === 206) {
    const start = Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? Number.NaN)
    if (start <= offset) return offset - start
    answer.body.destroy()
    throw failed(registry, what, `sent bytes from ${start} on where those from ${offset} on were asked for`)
  }
  const reason = refusalIn(await readRemark(answer))
  throw failed(registry, what, `answered ${status}${reason === null ? '' : `: ${reason}`}`)
}

const interrupted = (digest: Digest, { signal }: Op): BasaltError =>
  new BasaltError('request.interrupted', {
    message: `fetching ${digest} was interrupted`,
    cause: signal.reason,
  })
