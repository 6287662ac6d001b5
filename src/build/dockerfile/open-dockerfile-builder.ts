import { join } from 'node:path'
import type { DockerfileRecipe } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { replacedWhileRunning } from '../../util/replaced-while-running.ts'
import type { Builder, FindLogin } from '../builder.ts'
import { dockerfileBuilderVersion } from './builder-version.ts'
import type { ImagePins, ResolveImage } from './resolve-bases.ts'

export interface DockerfileBuilderSettings {
  readonly store: ContentStore
  /** May be deleted at any time: it costs time only. */
  readonly cacheFolder: string
  /** Of basalt.lock, shared by all builds of a run; the caller writes it at the end. */
  readonly pins: ImagePins
  readonly resolveImage: ResolveImage
  readonly findLogin: FindLogin
  /** BASALT_DOCKERFILE_BUILDER, BASALT_CONTEXT_LIMIT, and what Docker's client heeds: DOCKER_HOST and others. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const defaultContextLimitBytes = 2 ** 30

/** The Dockerfile builder of this machine. One for each run. */
export function openDockerfileBuilder(settings: DockerfileBuilderSettings): Builder<DockerfileRecipe> {
  const { store, pins, resolveImage, findLogin, environment } = settings
  const cacheFolder = join(settings.cacheFolder, 'dockerfile')
  let builder: Promise<Builder<DockerfileRecipe>> | undefined
  // Late: a system without a Dockerfile needs nothing of it, and a setting that is wrong must not stop it.
  const open = async (): Promise<Builder<DockerfileRecipe>> => {
    const [{ createDockerfileBuilder }, { chooseBackend, wantedBackend }] = await Promise.all([
      import('./dockerfile-builder.ts'),
      import('./choose-backend.ts'),
    ]).catch(replacedWhileRunning('builder of Dockerfiles'))
    return createDockerfileBuilder({
      store,
      cacheFolder,
      pins,
      resolveImage,
      findLogin,
      wanted: wantedBackend(environment),
      contextLimitBytes: contextLimit(environment),
      openBackend: (op) => chooseBackend(environment, cacheFolder, op),
      now: Date.now,
    })
  }
  return {
    name: 'dockerfile',
    version: dockerfileBuilderVersion,
    build: async (recipe, context, op) => (await (builder ??= open())).build(recipe, context, op),
  }
}

function contextLimit(environment: DockerfileBuilderSettings['environment']): number {
  const text = environment['BASALT_CONTEXT_LIMIT'] ?? ''
  if (text === '') return defaultContextLimitBytes
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new BasaltError('request.invalid', {
    message: `BASALT_CONTEXT_LIMIT is "${text}", which is no number of bytes`,
    remedy: 'Set it to a number of bytes or unset it, then: basalt server restart',
  })
}
