import type { ServerOptions as TlsOptions } from 'node:https'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { BasaltError } from '../../../errors.ts'
import { authorize, type Need } from './authorize.ts'
import { deleteBlob, deleteManifest } from './delete-content.ts'
import { digestOfText } from './find-content.ts'
import {
  type Exchange,
  sendBlob,
  sendCatalogue,
  sendManifest,
  sendReferrers,
  sendTags,
} from './pull-routes.ts'
import {
  beginUpload,
  cancelUpload,
  continueUpload,
  finishUpload,
  sendUpload,
  takeManifest,
} from './push-routes.ts'
import { type ErrorAnswer, errorAnswer, refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'
import { parseRegistryPath, type RegistryPath } from './registry-path.ts'
import { addTokenEndpoint } from './token-endpoint.ts'

export interface RegistryOptions extends RegistryParts {
  readonly tls: Pick<TlsOptions, 'cert' | 'key'> | null
  /** For failures that are no client's. */
  readonly report: (message: string, error: unknown) => void
  /** What was pushed and deleted, and by whom. */
  readonly record: (change: string, details: Readonly<Record<string, unknown>>) => void
}

/** A connection on which nothing moves for so long is given up; so a client that vanished holds no upload. */
const idleMs = 300_000
const maxUrlBytes = 8192

/** OCI Distribution 1.1 over HTTP, and the tokens for it. Not listening yet. */
export function createRegistry(options: RegistryOptions): FastifyInstance {
  const shared = {
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    connectionTimeout: idleMs,
    routerOptions: { maxParamLength: maxUrlBytes },
    // A path that is not encoded as one.
    frameworkErrors: (failure: Error, _request: FastifyRequest, reply: FastifyReply) =>
      void sendError(reply, errorAnswer(refusal('NAME_INVALID', failure.message))),
  } as const
  const { tls } = options
  // Its type differs from that of a plain server in the socket only.
  const app =
    tls === null ? fastify(shared) : (fastify({ ...shared, https: tls }) as unknown as FastifyInstance)
  // Bodies are read as they come, by who wants them.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  answerErrors(app, options)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('docker-distribution-api-version', 'registry/2.0')
  })
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    )
    addTokenEndpoint(scope, options.authority)
  })
  for (const url of ['/v2', '/v2/*'])
    app.route({
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      url,
      handler: async (request, reply) => {
        const path = parseRegistryPath(request.url)
        if (path === null) throw refusal('UNSUPPORTED', `there is no call ${request.url}`, { status: 404 })
        const user = await authorize(request, needOf(path, request.method), options.authority)
        const answer = await serve(options, path, { request, reply })
        if (isChange(path, request.method)) options.record(request.method, { ...path, user })
        return answer
      },
    })
  return app
}

/** Of what others may rely on; uploads become that by a manifest only. */
const isChange = ({ kind }: RegistryPath, method: string): boolean =>
  (method === 'PUT' && kind === 'manifest') ||
  (method === 'DELETE' && (kind === 'manifest' || kind === 'blob'))

function needOf(path: RegistryPath, method: string): Need {
  if (path.kind === 'base') return null
  if (path.kind === 'catalogue') return { repository: null, action: 'catalogue' }
  const { repository } = path
  if (path.kind === 'uploads' || path.kind === 'upload') return { repository, action: 'push' }
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { repository, action: 'pull' }
    case 'DELETE':
      return { repository, action: 'delete' }
    default:
      return { repository, action: 'push' }
  }
}

/** Resolves with what is to be sent, unless it was sent already. */
async function serve(parts: RegistryParts, path: RegistryPath, exchange: Exchange): Promise<unknown> {
  const { method } = exchange.request
  switch (path.kind) {
    case 'base':
      if (isRead(method)) return {}
      break
    case 'catalogue':
      if (isRead(method)) return sendCatalogue(parts, exchange)
      break
    case 'tags':
      if (isRead(method)) return sendTags(parts, path.repository, exchange)
      break
    case 'referrers':
      if (isRead(method)) return sendReferrers(parts, path.repository, path.reference, exchange)
      break
    case 'manifest':
    case 'blob':
      return serveContent(parts, path, exchange)
    case 'uploads':
      if (method === 'POST') return beginUpload(parts, path.repository, exchange)
      break
    case 'upload':
      return serveUpload(parts, path, exchange)
  }
  throw notServed(exchange)
}

async function serveContent(
  parts: RegistryParts,
  { kind, repository, reference }: Extract<RegistryPath, { readonly reference: string }>,
  exchange: Exchange,
): Promise<unknown> {
  const { method } = exchange.request
  const isManifest = kind === 'manifest'
  if (isRead(method)) return (isManifest ? sendManifest : sendBlob)(parts, repository, reference, exchange)
  if (method === 'PUT' && isManifest) return takeManifest(parts, repository, reference, exchange)
  if (method !== 'DELETE') throw notServed(exchange)
  if (isManifest) await deleteManifest(parts, repository, reference)
  else await deleteBlob(parts, repository, digestOfText(reference))
  return exchange.reply.code(202).send()
}

async function serveUpload(
  parts: RegistryParts,
  { repository, id }: Extract<RegistryPath, { readonly kind: 'upload' }>,
  exchange: Exchange,
): Promise<unknown> {
  switch (exchange.request.method) {
    case 'GET':
      return sendUpload(parts, repository, id, exchange)
    case 'PATCH':
      return continueUpload(parts, repository, id, exchange)
    case 'PUT':
      return finishUpload(parts, repository, id, exchange)
    case 'DELETE':
      return cancelUpload(parts, repository, id, exchange)
    default:
      throw notServed(exchange)
  }
}

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD'

const notServed = ({ request }: Exchange): BasaltError =>
  refusal('UNSUPPORTED', `${request.method} is not served at ${request.url}`)

function answerErrors(app: FastifyInstance, { report }: RegistryOptions): void {
  app.setNotFoundHandler(async (request) => {
    throw refusal('UNSUPPORTED', `there is no call ${request.method} ${request.url}`, { status: 404 })
  })
  app.setErrorHandler(async (failure, request, reply) => {
    const error = isOfClient(failure) ? refusal('UNSUPPORTED', failure.message, { status: 400 }) : failure
    const answer = errorAnswer(error)
    // Of an answer that was begun; a failure must not be kept as if it were the blob.
    for (const name of ofContent) reply.removeHeader(name)
    if (answer.status >= 500) report(`${request.method} ${request.url}`, failure)
    return sendError(reply, answer)
  })
}

const sendError = (reply: FastifyReply, { status, headers, body }: ErrorAnswer): FastifyReply =>
  reply.code(status).headers(headers).type('application/json').send(body)

const ofContent = [
  'accept-ranges',
  'cache-control',
  'content-length',
  'content-range',
  'docker-content-digest',
  'etag',
]

/** What fastify or the parsing of a query refuses. */
const isOfClient = (failure: unknown): failure is Error =>
  failure instanceof z.ZodError || Number((failure as { statusCode?: number }).statusCode) < 500
