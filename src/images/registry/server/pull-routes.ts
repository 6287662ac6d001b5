import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Digest } from '../../../core/ids.ts'
import type { Descriptor } from '../../content-store.ts'
import { mediaTypes } from '../../descriptor.ts'
import { parseByteRange } from './byte-range.ts'
import { blobUnknown, digestOfText, findManifest, hasBlob } from './find-content.ts'
import { pageOf } from './list-pages.ts'
import { refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'
import { verifiedBytes } from './verified-bytes.ts'

/* Reading: distribution-spec, "Pull" and "Content Discovery". */

/** What has a digest never changes, but who may read it does. */
const cacheControl = 'private, max-age=31536000, immutable'

export async function sendManifest(
  parts: RegistryParts,
  repository: string,
  reference: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const { digest, mediaType, size } = await findManifest(parts, repository, reference)
  reply.headers({ 'content-type': mediaType, 'docker-content-digest': digest, etag: `"${digest}"` })
  if (isKnown(request, digest)) return reply.code(304).send()
  reply.header('content-length', size)
  if (request.method === 'HEAD') return reply.send()
  return reply.send(await parts.content.read(digest))
}

export async function sendBlob(
  parts: RegistryParts,
  repository: string,
  reference: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const { content, report } = parts
  const digest = digestOfText(reference)
  if (!(await hasBlob(parts, repository, digest))) throw blobUnknown(repository, digest)
  const sizeBytes = await content.size(digest)
  reply.headers({
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
    'cache-control': cacheControl,
  })
  if (isKnown(request, digest)) return reply.code(304).send()
  if (request.method === 'HEAD') return reply.header('content-length', sizeBytes).send()
  const range = parseByteRange(request.headers.range, sizeBytes)
  if (range === 'unsatisfiable')
    throw refusal('RANGE_INVALID', `${digest} has ${sizeBytes} bytes`, {
      headers: { 'content-range': `bytes */${sizeBytes}` },
    })
  if (range !== null)
    reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${sizeBytes}`)
  reply.header('content-length', range === null ? sizeBytes : range.end - range.start + 1)
  const bytes = Readable.from(verifiedBytes(content, digest, range), { objectMode: false })
  // The answer has begun: it can only break off, and nobody else would tell.
  bytes.on('error', (error) => report(`GET ${request.url}`, error))
  return reply.send(bytes)
}

export async function sendTags(
  { catalogue, releases }: RegistryParts,
  repository: string,
  { request, reply }: Exchange,
): Promise<object> {
  const names = [...catalogue.tags(repository), ...(await releases.tags(repository)).keys()]
  if (names.length === 0 && !catalogue.has(repository))
    throw refusal('NAME_UNKNOWN', `there is no repository ${repository}`, { detail: { repository } })
  const { items, link } = pageOf(names, request.query, `/v2/${repository}/tags/list`)
  if (link !== null) reply.header('link', link)
  return { name: repository, tags: items }
}

/** Of the distribution project; the spec reserves the name. */
export async function sendCatalogue(
  { catalogue, releases }: RegistryParts,
  { request, reply }: Exchange,
): Promise<object> {
  const names = [...catalogue.repositories(), ...(await releases.repositories())]
  const { items, link } = pageOf(names, request.query, '/v2/_catalog')
  if (link !== null) reply.header('link', link)
  return { repositories: items }
}

/** An index of what names a manifest as its subject; an empty one also for a manifest that is not there (yet). */
export async function sendReferrers(
  { catalogue, releases }: RegistryParts,
  repository: string,
  reference: string,
  { request, reply }: Exchange,
): Promise<FastifyReply> {
  const subject = digestOfText(reference)
  const found = new Map<Digest, Descriptor>()
  for (const entry of [
    ...(await releases.referrers(repository, subject)),
    ...catalogue.referrers(repository, subject),
  ])
    found.set(entry.digest, entry)
  const { artifactType } = request.query as { artifactType?: string | readonly string[] }
  const wanted = [artifactType ?? []].flat()
  const manifests = [...found.values()]
    .filter((entry) => wanted.length === 0 || wanted.includes(entry.artifactType ?? ''))
    .sort((a, b) => (a.digest < b.digest ? -1 : 1))
  if (wanted.length > 0) reply.header('oci-filters-applied', 'artifactType')
  return reply
    .header('content-type', mediaTypes.index)
    .send(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests })))
}

/** A request and its answer. */
export interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

const isKnown = ({ headers }: FastifyRequest, digest: Digest): boolean =>
  (headers['if-none-match'] ?? '').split(/, */).includes(`"${digest}"`)
