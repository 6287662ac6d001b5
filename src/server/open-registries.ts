import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FindLogin } from '../build/builder.ts'
import type { ImageResolverPorts } from '../build/image-resolver.ts'
import type { ImageRegistries } from '../engine/ports.ts'
import type { ContentStore } from '../images/content-store.ts'
import { machinePlatform } from '../images/image.ts'
import { exec } from '../util/exec.ts'
import { onceSucceeded } from '../util/once-succeeded.ts'
import { replacedWhileRunning } from '../util/replaced-while-running.ts'

/** Registries, asked with what the user is logged in with that runs the server. Loaded by the first call. */
export function openRegistries(
  store: ContentStore,
  cacheFolder: string,
): ImageRegistries & ImageResolverPorts['registry'] & { readonly findLogin: FindLogin } {
  const client = onceSucceeded(async () => {
    const { createRegistryClient } = await import('../images/registry/client/registry-client.ts').catch(
      replacedWhileRunning('client of registries'),
    )
    return createRegistryClient({
      store,
      dockerConfig: dockerConfig(),
      certificatesFolder: '/etc/docker/certs.d',
      originsFile: join(cacheFolder, 'registry-blobs.json'),
      environment: process.env,
      exec,
      sleep: (ms, signal) => sleep(ms, undefined, { signal }),
      now: Date.now,
    })
  })
  return {
    async findLogin(registry, signal) {
      const { createDockerCredentials } = await import(
        '../images/registry/client/docker-credentials.ts'
      ).catch(replacedWhileRunning('client of registries'))
      const found = await createDockerCredentials(dockerConfig(), exec).find(registry, signal)
      // A token that only the registry itself takes is of no use to a builder.
      if (found === null || found.kind === 'bearer') return null
      return found.kind === 'identity'
        ? { user: '', secret: found.token }
        : { user: found.user, secret: found.password }
    },
    resolve: async (reference, op) => (await client()).resolve(reference, op),
    pullRelease: async (reference, op) => (await client()).pullRelease(reference, op),
    push: async (digest, to, op) => {
      const { blobs, sentBytes } = await (await client()).push(digest, to, op)
      return { blobs, sentBytes }
    },
    pull: async (reference, op) => {
      const { resolved, blobs: _, ...pulled } = await (await client()).pull(reference, machinePlatform, op)
      return { digest: resolved.digest, ...pulled }
    },
  }
}

const dockerConfig = (): string =>
  join(process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'config.json')
