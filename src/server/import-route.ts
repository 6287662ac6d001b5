import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { tarType } from './protocol.ts'
import type { Call } from './route.ts'

/** Takes an archive as it arrives: it is never held in memory, so it has no size limit. */
export function addImportRoute(
  app: FastifyInstance,
  callOf: (request: FastifyRequest, reply: FastifyReply) => Call,
): void {
  app.addContentTypeParser(tarType, (_request, payload, done) => done(null, payload))
  app.post('/releases/import', async (request, reply) => {
    const call = callOf(request, reply)
    const release = await call.engine.importRelease(request.body as Readable, await call.actor(), call.op)
    return { schema: 'basalt.release-imported/v1', release }
  })
}
