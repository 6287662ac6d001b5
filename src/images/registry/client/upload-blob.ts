import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import type { Access } from './authorization.ts'
import type { HttpAnswer } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { failed, refusalIn } from './registry-error.ts'
import type { RegistrySession } from './registry-session.ts'
import { isPassing } from './retry-wait.ts'
import type { Transfer } from './transfer-progress.ts'

/** How a blob came to be in the repository. */
export type Upload = 'present' | 'mounted' | 'sent'

export interface UploadTarget {
  readonly session: RegistrySession
  readonly store: ContentStore
  readonly repository: string
  readonly op: Op
  /** Begins errors. */
  readonly what: string
}

/**
 * Sees to it that a blob is in the repository: it is looked for, then taken over from another repository of the same
 * registry (`from`), and only then sent. Rejects with `content.corrupt` where it is no longer what it was here.
 */
export async function uploadBlob(
  target: UploadTarget,
  descriptor: Descriptor,
  from: string | null,
  progress: () => Transfer,
): Promise<Upload> {
  if (await isPresent(target, descriptor)) return 'present'
  for (let attempt = 1; ; attempt++) {
    target.op.signal.throwIfAborted()
    const { answer, path } = await startUpload(target, descriptor, attempt === 1 ? from : null)
    if (answer.status === 201) return 'mounted'
    const location = await target.session.locate(answer.headers.location, path)
    const failure = await sendWhole(target, descriptor, location, progress())
    if (failure === null) return 'sent'
    await target.session.pause(attempt, failure.error, failure.headers)
  }
}

/** Null where it was taken; else why not, when another attempt may be better. Rejects when none would be. */
async function sendWhole(
  target: UploadTarget,
  descriptor: Descriptor,
  location: URL,
  progress: Transfer,
): Promise<{ readonly error: BasaltError; readonly headers: HttpAnswer['headers'] } | null> {
  try {
    const { status, headers, ...answer } = await send(target, descriptor, location, progress)
    const reason = refusalIn(await readRemark({ status, headers, ...answer })) ?? `it answered ${status}`
    if (status === 201 || status === 204) return null
    // What it does not recognise may have gone bad here.
    await target.store.verify(descriptor.digest)
    const error = refused(target, `the blob ${descriptor.digest}`, reason)
    // An upload that is no longer known, or was half taken, is begun anew.
    if (!isPassing(status) && status !== 404 && status !== 416) throw error
    return { error, headers }
  } catch (error) {
    if (!(error instanceof BasaltError && error.code === 'registry.unreachable')) throw error
    return { error, headers: {} }
  }
}

export async function isPresent(
  { session, repository }: UploadTarget,
  { digest }: Descriptor,
  kind: 'blobs' | 'manifests' = 'blobs',
  headers: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const access: Access = { repository, actions: 'pull,push' }
  const answer = await session.send({
    method: 'HEAD',
    path: `${repository}/${kind}/${digest}`,
    access,
    headers,
  })
  await readRemark(answer)
  return answer.status === 200
}

async function startUpload(target: UploadTarget, { digest }: Descriptor, from: string | null) {
  const { session, repository, what } = target
  const query = from === null ? '' : `?${new URLSearchParams({ mount: digest, from }).toString()}`
  const path = `${repository}/blobs/uploads/${query}`
  const access: Access = { repository, actions: 'pull,push', ...(from === null ? {} : { from }) }
  const request = { method: 'POST', path, access, headers: { 'content-length': '0' } } as const
  const answer = await session.send(request)
  const remark = await readRemark(answer)
  if (answer.status === 202 || (answer.status === 201 && from !== null)) return { answer, path }
  const reason = refusalIn(remark) ?? `it answered ${answer.status}`
  // A registry may refuse the other repository with the whole request.
  if (from !== null) return startUpload(target, { digest } as Descriptor, null)
  if (answer.status >= 500) throw failed(session.registry, what, reason)
  throw refused(target, `the blob ${digest}`, reason)
}

function send(
  { session, store, repository, op }: UploadTarget,
  { digest, size }: Descriptor,
  location: URL,
  progress: Transfer,
): Promise<HttpAnswer> {
  const url = new URL(location)
  url.searchParams.set('digest', digest)
  return session.send({
    method: 'PUT',
    path: url,
    access: { repository, actions: 'pull,push' },
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
    body: () => (size === 0 ? Buffer.alloc(0) : Readable.from(counted(store.path(digest), progress, op))),
    once: true,
  })
}

async function* counted(file: string, transfer: Transfer, op: Op): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) {
    op.signal.throwIfAborted()
    transfer.advance((chunk as Buffer).byteLength)
    yield chunk as Buffer
  }
}

export const refused = ({ session, what }: UploadTarget, part: string, reason: string): BasaltError =>
  new BasaltError('registry.push-refused', {
    message: `${what}: the registry ${session.registry} did not take ${part}: ${reason}`,
    remedy: `Check the name, whether the tag is taken, and what you may write there: sudo docker login ${session.registry}`,
    details: { registry: session.registry, reason },
  })
