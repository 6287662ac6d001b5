import type { ServerOptions as TlsOptions } from 'node:https'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import * as z from 'zod'
import { authorize } from './authorize.ts'
import { type ErrorAnswer, errorAnswer, refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'
import { parseRegistryPath } from './registry-path.ts'
import { isChange, needOf, serveRequest } from './serve-request.ts'
import { addTokenEndpoint } from './token-endpoint.ts'

export interface RegistryOptions extends RegistryParts {
  readonly tls: Pick<TlsOptions, 'cert' | 'key'> | null
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
        const answer = await serveRequest(options, path, { request, reply })
        if (isChange(path, request.method)) options.record(request.method, { ...path, user })
        return answer
      },
    })
  return app
}

function answerErrors(app: FastifyInstance, { report }: RegistryOptions): void {
  app.setNotFoundHandler(async (request) => {
    throw refusal('UNSUPPORTED', `there is no call ${request.method} ${request.url}`, { status: 404 })
  })
  app.setErrorHandler(async (failure, request, reply) => {
    const error = isOfClient(failure) ? refusal('UNSUPPORTED', failure.message, { status: 400 }) : failure
    const answer = errorAnswer(error)
    // Of an answer that was begun; a failure must not be kept as if it were the blob.
    for (const name of ofContent) reply.removeHeader(name)
    if (answer.status >= 500 && !isGone(request)) report(`${request.method} ${request.url}`, failure)
    return sendError(reply, answer)
  })
}

/** A client that went away in the middle of its request is nothing to report. */
const isGone = ({ raw }: FastifyRequest): boolean => raw.destroyed && !raw.complete

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
