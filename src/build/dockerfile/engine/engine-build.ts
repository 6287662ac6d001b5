import type { IncomingMessage } from 'node:http'
import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { saysDiskFull } from '../../../util/docker-engine-errors.ts'
import { type BackendWork, buildArguments, type MadeImage } from '../backend.ts'
import { syntaxFailure } from '../step-failure.ts'
import type { EngineClient, EngineRequest } from './engine-client.ts'
import { buildDiskFull, connectionError } from './engine-errors.ts'
import type { EngineFacts } from './engine-facts.ts'
import type { EngineImages } from './engine-images.ts'
import { type EngineMessage, imageIdIn, readMessages } from './message-stream.ts'

/** An Engine, as both of its builders use it. */
export interface Engine {
  readonly client: EngineClient
  readonly facts: EngineFacts
  readonly images: EngineImages
}

/** The parameters of `POST /build` that do not depend on the builder. */
export const buildQuery = (work: BackendWork): Record<string, string | undefined> => ({
  buildargs: JSON.stringify(buildArguments(work)),
  ...(work.recipe.target === null ? {} : { target: work.recipe.target }),
  ...(work.noCache ? { nocache: '1' } : {}),
})

/** Asks for a build. An Engine that reads the Dockerfile before it answers tells its mistakes at once. */
export async function startBuild(
  { client }: Engine,
  work: BackendWork,
  request: EngineRequest,
  op: Op,
): Promise<IncomingMessage> {
  try {
    return await client.stream(request, op)
  } catch (cause) {
    const said = cause instanceof BasaltError ? cause.details['said'] : undefined
    throw (typeof said === 'string' ? syntaxFailure(work.files.dockerfile, said) : null) ?? cause
  }
}

/**
 * Reads the Engine's answer to its end; resolves with the image's id. `tell` gets every message but the error, and
 * `explain` makes ours of what the Engine says of a failed step.
 */
export async function followBuild(
  answer: IncomingMessage,
  work: BackendWork,
  { client }: Engine,
  op: Op,
  tell: (message: EngineMessage) => void,
  explain: (said: string) => BasaltError,
): Promise<Digest> {
  let id: string | null = null
  try {
    for await (const message of readMessages(answer)) {
      const said = message.errorDetail?.message ?? message.error
      if (said !== undefined)
        throw saysDiskFull(said)
          ? buildDiskFull(said)
          : (syntaxFailure(work.files.dockerfile, said) ?? explain(said))
      id = imageIdIn(message) ?? id
      tell(message)
    }
  } catch (cause) {
    if (cause instanceof BasaltError) throw cause
    if (op.signal.aborted)
      throw new BasaltError('request.interrupted', { message: 'the build was interrupted', cause })
    throw connectionError(client.endpoint, cause)
  }
  if (id !== null) return id as Digest
  throw new BasaltError('docker.failed', {
    message: `the build of ${work.service} ended without an image: the Docker Engine hung up`,
    remedy: "See the Engine's own log, and build again: basalt build",
  })
}

/** Between the build and its import nothing may come in between: the id names the bytes that are read. */
export const madeImage = (id: Digest, { images }: Engine, tidy: MadeImage['tidy']): MadeImage => ({
  id,
  archive: (op) => images.save(id, op),
  tidy,
})
