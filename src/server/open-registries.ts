import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
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
): ImageRegistries & ImageResolverPorts['registry'] {
  const client = onceSucceeded(async () => {
    const { createRegistryClient } = await import('../images/registry/client/registry-client.ts').catch(
      replacedWhileRunning('client of registries'),
    )
    const dockerFolder = process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker')
    return createRegistryClient({
      store,
      dockerConfig: join(dockerFolder, 'config.json'),
      certificatesFolder: '/etc/docker/certs.d',
      originsFile: join(cacheFolder, 'registry-blobs.json'),
      environment: process.env,
      exec,
      sleep: (ms, signal) => sleep(ms, undefined, { signal }),
      now: Date.now,
    })
  })
  return {
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
