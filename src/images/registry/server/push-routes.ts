import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { Digest } from '../../../core/ids.ts'
import { type ByteRange, parseChunkRange } from './byte-range.ts'
import { digestOfText, hasBlob } from './find-content.ts'
import type { Exchange } from './pull-routes.ts'
import { putManifest } from './put-manifest.ts'
import { refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'
import { isRepositoryName } from './repository-name.ts'
import type { Upload } from './upload-files.ts'

/* Writing: distribution-spec, "Push". */

/** The spec's own limit for what every registry must take. */
export const maxManifestBytes = 4 * 2 ** 20

const beginSchema = z.object({
  digest: z.string().optional(),
  mount: z.string().optional(),
  from: z.string().optional(),
})

/** Begins an upload; or mounts a blob of another repository; or takes the whole blob at once. */
export async function beginUpload(
  parts: RegistryParts,
  repository: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const { digest, mount, from } = query(beginSchema, request)
  if (mount !== undefined && (await mountBlob(parts, repository, digestOfText(mount), from)))
    return created(reply, repository, 'blobs', digestOfText(mount))
  if (digest === undefined) return accepted(reply, await parts.uploads.begin(repository))
  const expected = digestOfText(digest)
  const upload = await parts.uploads.begin(repository)
  try {
    await parts.uploads.append(upload, bodyOf(request))
    await finish(parts, upload, expected)
  } catch (cause) {
    // Nobody knows its address, so nobody could go on with it.
    await parts.uploads.cancel(upload)
    throw cause
  }
  return created(reply, repository, 'blobs', expected)
}

/** True when it was found; else the client sends it. Without `from` it may be in any repository. */
async function mountBlob(
  parts: RegistryParts,
  repository: string,
  digest: Digest,
  from: string | undefined,
): Promise<boolean> {
  const { catalogue, content } = parts
  if (from !== undefined && !isRepositoryName(from))
    throw refusal('NAME_INVALID', `"${from}" is no name of a repository`)
  const isThere =
    from === undefined
      ? catalogue.isLinked(digest) && (await content.has(digest))
      : await hasBlob(parts, from, digest)
  if (isThere) catalogue.linkBlob(repository, digest)
  return isThere
}

export async function sendUpload(
  { uploads }: RegistryParts,
  repository: string,
  id: string,
  { reply }: Exchange,
): Promise<FastifyReply> {
  const upload = await uploads.find(repository, id)
  return progressHeaders(reply, upload).code(204).send()
}

export async function continueUpload(
  { uploads }: RegistryParts,
  repository: string,
  id: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const upload = await uploads.find(repository, id)
  const sizeBytes = await append(uploads, upload, request)
  return accepted(reply, { ...upload, sizeBytes })
}

export async function finishUpload(
  parts: RegistryParts,
  repository: string,
  id: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const { digest } = query(z.object({ digest: z.string().optional() }), request)
  if (digest === undefined)
    throw refusal('DIGEST_INVALID', 'the last request of an upload must have ?digest=')
  const expected = digestOfText(digest)
  const upload = await parts.uploads.find(repository, id)
  await append(parts.uploads, upload, request)
  await finish(parts, upload, expected)
  return created(reply, repository, 'blobs', expected)
}

export async function cancelUpload(
  { uploads }: RegistryParts,
  repository: string,
  id: string,
  { reply }: Exchange,
): Promise<FastifyReply> {
  await uploads.cancel(await uploads.find(repository, id))
  return reply.code(204).send()
}

async function append(
  uploads: RegistryParts['uploads'],
  upload: Upload,
  request: FastifyRequest,
): Promise<number> {
  const chunk = chunkOf(request)
  try {
    return await uploads.append(upload, bodyOf(request), chunk)
  } catch (cause) {
    const status = (cause as { details?: { status?: number } }).details?.status
    if (status !== 416) throw cause
    const found = await uploads.find(upload.repository, upload.id)
    throw refusal('BLOB_UPLOAD_INVALID', (cause as Error).message, {
      status,
      headers: uploadHeaders(found),
      cause,
    })
  }
}

function chunkOf(request: FastifyRequest): ByteRange | null {
  const header = request.headers['content-range']
  if (header === undefined) return null
  const chunk = parseChunkRange(header)
  if (chunk === null)
    throw refusal('BLOB_UPLOAD_INVALID', `Content-Range is "${header}"; it must be <first>-<last byte>`)
  const length = request.headers['content-length']
  if (length !== undefined && Number(length) !== chunk.end - chunk.start + 1)
    throw refusal('SIZE_INVALID', `Content-Range is ${header}, but Content-Length is ${length}`)
  return chunk
}

async function finish(
  { uploads, catalogue }: RegistryParts,
  upload: Upload,
  expected: Digest,
): Promise<void> {
  await uploads.finish(upload, expected)
  catalogue.linkBlob(upload.repository, expected)
}

export async function takeManifest(
  parts: RegistryParts,
  repository: string,
  reference: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const mediaType = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? ''
  const bytes = await readBody(request)
  const { digest, subject } = await putManifest(parts, { repository, reference, mediaType, bytes })
  if (subject !== null) reply.header('oci-subject', subject)
  return created(reply, repository, 'manifests', digest)
}

async function readBody(request: FastifyRequest): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of bodyOf(request)) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > maxManifestBytes)
      throw refusal('SIZE_INVALID', `a manifest may have ${maxManifestBytes} bytes`, { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function* bodyOf(request: FastifyRequest): AsyncGenerator<Uint8Array> {
  const body = request.body as Readable | null | undefined
  if (body === null || body === undefined) return
  for await (const chunk of body) yield chunk as Uint8Array
}

const created = (
  reply: FastifyReply,
  repository: string,
  kind: 'blobs' | 'manifests',
  digest: Digest,
): FastifyReply =>
  reply
    .code(201)
    .headers({ location: `/v2/${repository}/${kind}/${digest}`, 'docker-content-digest': digest })
    .send()

const accepted = (reply: FastifyReply, upload: Upload): FastifyReply =>
  progressHeaders(reply, upload).code(202).header('content-length', 0).send()

const progressHeaders = (reply: FastifyReply, upload: Upload): FastifyReply =>
  reply.headers(uploadHeaders(upload))

/** An upload without a byte says 0-0, as the distribution project does: clients of Docker fail without a Range. */
const uploadHeaders = ({ repository, id, sizeBytes }: Upload): Readonly<Record<string, string>> => ({
  location: `/v2/${repository}/blobs/uploads/${id}`,
  range: `0-${Math.max(sizeBytes - 1, 0)}`,
  'docker-upload-uuid': id,
})

function query<Schema extends z.ZodType>(schema: Schema, request: FastifyRequest): z.infer<Schema> {
  const result = schema.safeParse(request.query)
  if (result.success) return result.data
  throw refusal('UNSUPPORTED', `the query cannot be read: ${z.prettifyError(result.error)}`, { status: 400 })
}
