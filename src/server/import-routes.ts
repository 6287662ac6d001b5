import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { tarType } from './protocol.ts'
import type { Call } from './route.ts'

/** Take archives as they arrive: none is ever held in memory, so they have no size limit. */
export function addImportRoutes(
  app: FastifyInstance,
  callOf: (request: FastifyRequest, reply: FastifyReply) => Call,
): void {
  app.addContentTypeParser(tarType, (_request, payload, done) => done(null, payload))
  app.post('/releases/import', async (request, reply) => {
    const call = callOf(request, reply)
    const release = await call.engine.importRelease(request.body as Readable, await call.actor(), call.op)
    return { schema: 'basalt.release-imported/v1', release }
  })
  app.post('/images/import', async (request, reply) => {
    const { engine, op } = callOf(request, reply)
    const images = await engine.importImages(request.body as Readable, op)
    return { schema: 'basalt.image-imported/v1', images }
  })
}
