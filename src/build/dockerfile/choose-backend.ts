import type { Op } from '../../core/op.ts'
import { BasaltError } from '../../errors.ts'
import { type Backend, type BackendName, backendNames } from './backend.ts'
import { buildahBackend, buildahVersion } from './buildah/buildah-backend.ts'
import { buildkitBackend } from './buildkit/buildkit-backend.ts'
import { classicBackend } from './engine/classic-backend.ts'
import type { Engine } from './engine/engine-build.ts'
import { createEngineClient } from './engine/engine-client.ts'
import { engineEndpoint } from './engine/engine-endpoint.ts'
import { engineFacts } from './engine/engine-facts.ts'
import { engineImages } from './engine/engine-images.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The builder that BASALT_DOCKERFILE_BUILDER asks for; null: the best of what there is. */
export function wantedBackend(environment: Environment): BackendName | null {
  const text = environment['BASALT_DOCKERFILE_BUILDER'] ?? ''
  if (text === '') return null
  const name = backendNames.find((known) => known === text)
  if (name !== undefined) return name
  throw new BasaltError('request.invalid', {
    message: `BASALT_DOCKERFILE_BUILDER is "${text}"; there are ${backendNames.join(', ')}`,
    remedy: 'Set it to one of them or unset it, then: basalt server restart',
  })
}

/**
 * BuildKit in a Docker Engine, else the Engine's classic builder, else buildah. Rejects with `docker.*` where an Engine is
 * asked for and cannot be used, with `build.no-builder` where there is nothing at all.
 */
export async function chooseBackend(
  environment: Environment,
  cacheFolder: string,
  op: Pick<Op, 'signal'>,
): Promise<Backend> {
  const wanted = wantedBackend(environment)
  if (wanted === 'buildah') return openBuildah(cacheFolder, op)
  let engine: Engine
  try {
    engine = await openEngine(environment, op)
  } catch (cause) {
    if (wanted !== null || op.signal.aborted || !(cause instanceof BasaltError)) throw cause
    return withoutEngine(cause, cacheFolder, op)
  }
  if (wanted === 'classic' || !engine.facts.hasBuildkit) {
    if (wanted === 'buildkit')
      throw new BasaltError('docker.too-old', {
        message: `${engine.facts.version} has no BuildKit`,
        remedy: 'Unset BASALT_DOCKERFILE_BUILDER, then: basalt server restart',
      })
    return classicBackend(engine)
  }
  return buildkitBackend(engine)
}

export async function openEngine(environment: Environment, op: Pick<Op, 'signal'>): Promise<Engine> {
  const client = createEngineClient(engineEndpoint(environment))
  const facts = await engineFacts(client, op)
  return { client, facts, images: engineImages(client, facts) }
}

async function openBuildah(cacheFolder: string, op: Pick<Op, 'signal'>): Promise<Backend> {
  const version = await buildahVersion(op)
  if (version !== null) return buildahBackend(version, cacheFolder)
  throw new BasaltError('host.tool-missing', {
    message: 'the program buildah is not installed',
    remedy: 'Install it: apt-get install buildah',
    details: { tool: 'buildah' },
  })
}

async function withoutEngine(
  cause: BasaltError,
  cacheFolder: string,
  op: Pick<Op, 'signal'>,
): Promise<Backend> {
  const version = await buildahVersion(op)
  if (version !== null) return buildahBackend(version, cacheFolder)
  // An Engine that is there but may not be used is the nearer trouble.
  if (cause.code !== 'docker.unreachable') throw cause
  throw new BasaltError('build.no-builder', {
    message: `nothing on this machine can build a Dockerfile: ${cause.message}; and buildah is not installed`,
    remedy: `${cause.remedy ?? ''} Or: apt-get install buildah`.trim(),
    cause,
  })
}
