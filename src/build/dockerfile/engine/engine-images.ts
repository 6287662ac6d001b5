import * as z from 'zod'
import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { digestSchema } from '../../../images/descriptor.ts'
import type { LocalImage } from '../backend.ts'
import type { EngineClient } from './engine-client.ts'
import type { EngineFacts } from './engine-facts.ts'

/** The images that an Engine has. */
export interface EngineImages {
  find(reference: string, op: Abort): Promise<(LocalImage & { readonly tags: readonly string[] }) | null>
  /** In the form of `docker save`. */
  save(id: Digest, op: Abort): Promise<AsyncIterable<Uint8Array>>
  tag(id: Digest, repository: string, tag: string, op: Abort): Promise<void>
  untag(reference: string, op: Abort): Promise<void>
  /** Removes an image that has no name; one that has one, is in use or is gone stays as it is. */
  removeNameless(id: string, op: Abort): Promise<void>
}

type Abort = Pick<Op, 'signal'>

const imageSchema = z.looseObject({
  Id: digestSchema,
  RepoDigests: z.array(z.string()).nullish(),
  RepoTags: z.array(z.string()).nullish(),
})

export function engineImages(client: EngineClient, { prefix }: EngineFacts): EngineImages {
  const path = (rest: string): string => `${prefix}/images/${rest}`
  const find: EngineImages['find'] = async (reference, op) => {
    const purpose = `the image ${reference} could not be looked up`
    const answer = await client
      .json({ method: 'GET', path: path(`${reference}/json`), purpose }, op)
      .catch(forgive([404]))
    if (answer === null) return null
    const { Id, RepoDigests, RepoTags } = imageSchema.parse(answer)
    return { id: Id, repoDigests: RepoDigests ?? [], tags: RepoTags ?? [] }
  }
  const remove = async (reference: string, op: Abort): Promise<void> => {
    const purpose = `the image ${reference} could not be removed`
    // 409: a container is made of it.
    await client.json({ method: 'DELETE', path: path(reference), purpose }, op).catch(forgive([404, 409]))
  }
  return {
    find,
    save: (id, op) =>
      client.stream({ method: 'GET', path: path(`${id}/get`), purpose: 'the image could not be read' }, op),
    async tag(id, repository, tag, op) {
      const purpose = `the base image ${id} could not be named`
      await client.json(
        { method: 'POST', path: path(`${id}/tag`), query: { repo: repository, tag }, purpose },
        op,
      )
    },
    untag: remove,
    async removeNameless(id, op) {
      const found = await find(id, op)
      if (found === null || found.tags.length > 0 || found.repoDigests.length > 0) return
      await remove(id, op)
    },
  }
}

const forgive =
  (statuses: readonly number[]) =>
  (cause: unknown): null => {
    const status = cause instanceof BasaltError ? cause.details['statusCode'] : undefined
    if (statuses.some((expected) => expected === status)) return null
    throw cause
  }
