import * as z from 'zod'
import type { Op } from '../../../core/op.ts'
import { engineTooOld, isEngineTooOld } from '../../../util/docker-engine-errors.ts'
import type { EngineClient } from './engine-client.ts'

export interface EngineFacts {
  readonly version: string
  /** The path of every call begins with it: `/v1.41`. */
  readonly prefix: string
  /** Podman answers in Docker's language, but has no BuildKit. */
  readonly hasBuildkit: boolean
}

const versionSchema = z.looseObject({
  Version: z.string(),
  ApiVersion: z.string(),
  Os: z.string().optional(),
  Components: z.array(z.looseObject({ Name: z.string() })).nullish(),
})

/** Rejects with `docker.too-old`, and as the client does. */
export async function engineFacts(client: EngineClient, op: Pick<Op, 'signal'>): Promise<EngineFacts> {
  const purpose = 'its version was asked for'
  const answer = await client.json({ method: 'GET', path: '/version', purpose }, op)
  const { Version, ApiVersion, Os, Components } = versionSchema.parse(answer)
  if (isEngineTooOld(ApiVersion))
    throw engineTooOld(Version, ApiVersion, 'or build without it: apt-get install buildah')
  const isPodman = (Components ?? []).some(({ Name }) => Name.startsWith('Podman'))
  return {
    version: isPodman ? `podman ${Version}` : Version,
    prefix: `/v${ApiVersion}`,
    hasBuildkit: !isPodman && Os !== 'windows',
  }
}
