import * as z from 'zod'
import type { Op } from '../../../core/op.ts'
import type { EngineClient } from './engine-client.ts'
import { engineTooOld } from './engine-errors.ts'

/** The oldest API that has everything that a build needs: Docker 20.10's. */
const lowestApi = [1, 41] as const

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
  const [major = 0, minor = 0] = ApiVersion.split('.').map(Number)
  if (major < lowestApi[0] || (major === lowestApi[0] && minor < lowestApi[1]))
    throw engineTooOld(Version, ApiVersion, lowestApi.join('.'))
  const isPodman = (Components ?? []).some(({ Name }) => Name.startsWith('Podman'))
  return {
    version: isPodman ? `podman ${Version}` : Version,
    prefix: `/v${ApiVersion}`,
    hasBuildkit: !isPodman && Os !== 'windows',
  }
}
