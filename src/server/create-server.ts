import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import type { Actor, Engine } from '../engine/engine.ts'
import { BasaltError } from '../errors.ts'
import type { Registry } from '../images/registry/server/open-registry.ts'
import { checkClientVersion } from './handshake.ts'
import { addImportRoutes } from './import-routes.ts'
import {
  apiHeader,
  apiVersion,
  type Health,
  ndjsonType,
  oldestApiVersion,
  tarType,
  versionHeader,
} from './protocol.ts'
import { parseRequest } from './requests.ts'
import type { Call, Route } from './route.ts'
import { routes } from './routes.ts'
import { itemLines, progressLines, settleFirst, untilAborted } from './streams.ts'
import { statusOf, toWireError } from './wire-error.ts'

export interface ServerOptions {
  readonly registry: Registry
  readonly version: string
  readonly home: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Who is at the other end of a connection. */
  identify(socket: Socket): Promise<Actor>
  /** Called when a client asks the server to end. */
  requestStop(): void
  /** Takes down everything that this server runs. */
  remove(): Promise<void>
  /** Aborted when the server ends: streams stop, their clients are told why. */
  readonly stopping: AbortSignal
  /** Writes JSON lines to the standard output. */
  readonly log: boolean
}

/** Every request body but an imported archive is smaller than this. */
const bodyLimitBytes = 64 * 1024
/** How long a stream's status line waits for its first item. */
const firstItemPatienceMs = 100

/** The engine over HTTP. Not listening yet. */
export function createServer(engine: Engine, options: ServerOptions): FastifyInstance {
  const app = fastify({
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    bodyLimit: bodyLimitBytes,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    logger: options.log && { base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
  })
  const actors = actorCache(options)
  const callOf = (request: FastifyRequest, reply: FastifyReply): Call => ({
    engine,
    registry: options.registry,
    op: { signal: AbortSignal.any([options.stopping, clientGone(reply)]) },
    actor: () => actors(request.socket),
  })
  app.addHook('onRequest', async (_request, reply) => {
    reply.header(apiHeader, apiVersion).header(versionHeader, options.version)
  })
  answerErrors(app)
  addServerRoutes(app, options)
  app.register(
    async (versioned) => {
      versioned.addHook('onRequest', async (request) => checkClientVersion(request, options.version))
      for (const route of routes) addRoute(versioned, route, callOf)
      addImportRoutes(versioned, callOf)
    },
    { prefix: '/v1' },
  )
  return app
}

/** Requests are parsed by zod. Fastify's own compilers would be loaded for nothing. */
function noSchemas(): never {
  throw new BasaltError('internal.bug', { message: 'a route has a schema of Fastify’s' })
}

/** Health and stop answer to every CLI version: an upgrade needs them to restart an older server. */
function addServerRoutes(app: FastifyInstance, options: ServerOptions): void {
  const health = (): Health => ({
    schema: 'basalt.health/v1',
    version: options.version,
    api: { oldest: oldestApiVersion, newest: apiVersion },
    pid: process.pid,
    startedAt: options.startedAt,
    home: options.home,
    memoryBytes: process.memoryUsage.rss(),
    registry: registryOf(options.registry),
  })
  app.get('/v1/health', async () => health())
  app.post('/v1/server/stop', async (_request, reply) => {
    reply.raw.once('finish', () => options.requestStop())
    return reply.code(202).send(health())
  })
  app.post('/v1/server/remove', async (_request, reply) => {
    await options.remove()
    reply.raw.once('finish', () => options.requestStop())
    return health()
  })
}

function registryOf(registry: Registry): Health['registry'] {
  const { settings, url, problem } = registry.status()
  return settings === null && problem === null ? null : { url, problem }
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  callOf: (request: FastifyRequest, reply: FastifyReply) => Call,
): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request, reply) => {
      const call = callOf(request, reply)
      const input = parseRequest(route.input, inputOf(request))
      switch (route.answer) {
        case 'items':
          return sendItems(reply, route.handle(input, call), call.op.signal)
        case 'bytes':
          return reply
            .type(tarType)
            .send(Readable.from(await settleFirst(route.handle(input, call), firstItemPatienceMs)))
        case 'progress':
        case 'result': {
          const run = async (notify?: (item: unknown) => void): Promise<object> => ({
            schema: route.schema,
            ...(await route.handle(
              input,
              notify === undefined ? call : { ...call, op: { ...call.op, notify } },
            )),
          })
          if (route.answer === 'progress' && request.headers.accept === ndjsonType)
            return reply.type(ndjsonType).send(Readable.from(progressLines(run)))
          return run()
        }
      }
    },
  })
}

async function sendItems(
  reply: FastifyReply,
  items: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const settled = await settleFirst(untilAborted(items, signal), firstItemPatienceMs)
  return reply.type(ndjsonType).send(Readable.from(itemLines(settled)))
}

const inputOf = (request: FastifyRequest): unknown =>
  request.method === 'GET'
    ? { ...(request.query as object), ...(request.params as object) }
    : { ...(request.body as object | null), ...(request.params as object) }

/** Aborted when the client goes away before its answer is complete. */
function clientGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}

/** One lookup a connection. */
function actorCache(options: ServerOptions): (socket: Socket) => Promise<Actor> {
  const known = new WeakMap<Socket, Promise<Actor>>()
  return (socket) => {
    const found = known.get(socket) ?? options.identify(socket)
    known.set(socket, found)
    return found
  }
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (request, reply) => {
    const error = toWireError(
      new BasaltError('request.invalid', {
        message: `there is no call ${request.method} ${request.url}`,
        remedy: 'See docs/api.md for the calls of this server.',
      }),
    )
    return reply.code(404).send({ schema: 'basalt.error/v1', ...error })
  })
  app.setErrorHandler(async (failure, request, reply) => {
    const error = toWireError(fromFastify(failure))
    if (error.code === 'internal.bug') request.log.error({ err: failure, url: request.url }, 'request failed')
    return reply.code(statusOf(error)).send({ schema: 'basalt.error/v1', ...error })
  })
}

/** What fastify itself refuses (malformed JSON, a body that is too large) is the client's mistake. */
function fromFastify(failure: unknown): unknown {
  const status = (failure as { statusCode?: number }).statusCode
  if (failure instanceof BasaltError || status === undefined || status >= 500) return failure
  return new BasaltError('request.invalid', { message: (failure as Error).message, cause: failure })
}
