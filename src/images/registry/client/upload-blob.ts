import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import type { Access } from './authorization.ts'
import type { HttpAnswer } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { failed, refusalIn } from './registry-error.ts'
import type { RegistrySession } from './registry-session.ts'
import type { Transfer } from './transfer-progress.ts'

/** How a blob came to be in the repository. */
export type Upload = 'present' | 'mounted' | 'sent'

export interface UploadTarget {
  readonly session: RegistrySession
  readonly store: ContentStore
  readonly repository: string
  /** Begins errors. */
  readonly what: string
}

/** Of an upload as a whole: a session that broke off is not taken up again. */
const maxAttempts = 4

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
    const { answer, path } = await startUpload(target, descriptor, attempt === 1 ? from : null)
    if (answer.status === 201) return 'mounted'
    const location = await target.session.locate(answer.headers.location, path)
    const done = await send(target, descriptor, location, progress)
    if (done.status === 201 || done.status === 204) return 'sent'
    const reason = refusalIn(await readRemark(done)) ?? `it answered ${done.status}`
    // What it does not recognise may have gone bad here.
    await target.store.verify(descriptor.digest)
    const passes = done.status === 404 || done.status === 416
    if (!passes || attempt === maxAttempts) throw refused(target, `the blob ${descriptor.digest}`, reason)
    await target.session.pause(attempt, refused(target, `the blob ${descriptor.digest}`, reason))
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
  const query = from === null ? '' : `?${new URLSearchParams({ mount: digest, from })}`
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
  { session, store, repository }: UploadTarget,
  { digest, size }: Descriptor,
  location: URL,
  progress: () => Transfer,
): Promise<HttpAnswer> {
  const url = new URL(location)
  url.searchParams.set('digest', digest)
  return session.send({
    method: 'PUT',
    path: url,
    access: { repository, actions: 'pull,push' },
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
    body: () => (size === 0 ? Buffer.alloc(0) : Readable.from(counted(store.path(digest), progress()))),
  })
}

async function* counted(file: string, transfer: Transfer): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) {
    transfer.advance((chunk as Buffer).byteLength)
    yield chunk as Buffer
  }
}

export const refused = ({ session, what }: UploadTarget, part: string, reason: string): BasaltError =>
  new BasaltError('registry.refused', {
    message: `${what}: the registry ${session.registry} did not take ${part}: ${reason}`,
    remedy: `Check the name, whether the tag is taken, and what you may write there: sudo docker login ${session.registry}`,
    details: { registry: session.registry, reason },
  })
