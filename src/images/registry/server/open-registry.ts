import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createKeyedMutex, createMutex } from '../../../util/mutex.ts'
import type { ContentStore } from '../../content-store.ts'
import { createAccessTokens, loadTokenKey } from './access-token.ts'
import { type Catalogue, openCatalogue } from './catalogue.ts'
import { type Credential, type Credentials, createCredentials, type NewCredential } from './credentials.ts'
import { tidyRefused } from './refused-content.ts'
import { listenRegistry, type RegistryListener } from './registry-listener.ts'
import { type RegistrySettings, readSettings, writeSettings } from './registry-settings.ts'
import { createReleaseRepositories } from './release-repositories.ts'
import type { RetainedRelease } from './release-shares.ts'
import { createUploads } from './uploads.ts'

/** The registry of a server, as people switch it on and off. */
export interface Registry {
  status(): RegistryStatus
  /** Serves as the settings say, now and after every restart. Rejects, and leaves all as it was, when it cannot. */
  enable(settings: RegistrySettings): Promise<RegistryStatus>
  disable(): Promise<RegistryStatus>
  tokens(): Promise<readonly Credential[]>
  /** Rejects with `registry.token-exists`. */
  grant(request: Omit<Credential, 'createdAt'>): Promise<NewCredential>
  /** Rejects with `registry.token-unknown`. */
  revoke(name: string): Promise<void>
  close(): Promise<void>
}

export interface RegistryStatus {
  /** Null: it is not served. */
  readonly settings: RegistrySettings | null
  /** Where it answers now; null: it does not. */
  readonly url: string | null
  /** Why it does not answer although it should; tried again until it does. */
  readonly problem: string | null
}

export interface RegistryHost {
  /** Settings, credentials and the catalogue are here; made with mode 0700. */
  readonly folder: string
  readonly content: ContentStore
  /** In the order in which they were frozen. */
  readonly releases: () => readonly RetainedRelease[]
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: (message: string, details?: Readonly<Record<string, unknown>>) => void
  /** How often a registry that cannot be served is tried again, and one that is served is tidied. */
  readonly intervals?: { readonly retryMs: number; readonly upkeepMs: number }
}

const usualIntervals = { retryMs: 5_000, upkeepMs: 60_000 }

/** Never rejects because the registry cannot be served: a server has more to do. */
export async function openRegistry(host: RegistryHost): Promise<Registry> {
  await mkdir(host.folder, { recursive: true, mode: 0o700 })
  const settingsPath = join(host.folder, 'settings.json')
  const credentials = createCredentials(join(host.folder, 'credentials.json'), host.now)
  const service = createService(host, credentials)
  const mutex = createMutex()
  let settings: RegistrySettings | null = null
  let problem: string | null = null
  let retry: NodeJS.Timeout | undefined

  const tryStart = async (): Promise<void> => {
    try {
      settings = await readSettings(settingsPath)
      if (settings !== null) await service.start(settings)
      problem = null
    } catch (error) {
      const text = messageOf(error)
      if (text !== problem) host.log(`registry: ${text}`)
      problem = text
      retry = setTimeout(() => void mutex.run(tryStart), (host.intervals ?? usualIntervals).retryMs).unref()
    }
  }
  const status = (): RegistryStatus => ({ settings, url: service.url(), problem })

  await tryStart()
  return {
    status,
    enable: (wanted) =>
      mutex.run(async () => {
        clearTimeout(retry)
        try {
          await service.start(wanted)
          await writeSettings(settingsPath, wanted)
        } catch (error) {
          await service.stop()
          await tryStart()
          throw error
        }
        settings = wanted
        problem = null
        return status()
      }),
    disable: () =>
      mutex.run(async () => {
        clearTimeout(retry)
        await writeSettings(settingsPath, null)
        await service.stop()
        settings = null
        problem = null
        return status()
      }),
    tokens: () => credentials.list(),
    grant: (request) => credentials.create(request),
    revoke: (name) => credentials.revoke(name),
    close: () =>
      mutex.run(async () => {
        clearTimeout(retry)
        await service.stop()
      }),
  }
}

interface Service {
  url(): string | null
  /** In place of what was served before. */
  start(settings: RegistrySettings): Promise<void>
  stop(): Promise<void>
}

function createService(host: RegistryHost, credentials: Credentials): Service {
  const { content, now, log } = host
  const report = (message: string, error: unknown): void => log(`registry: ${message}: ${messageOf(error)}`)
  const record = (change: string, details: Readonly<Record<string, unknown>>): void =>
    log(`registry: ${change}`, details)
  const uploads = createUploads(content, now)
  const releases = createReleaseRepositories(content, host.releases, (problem) => log(`registry: ${problem}`))
  const changes = createKeyedMutex<string>()
  let running: {
    readonly listener: RegistryListener
    readonly catalogue: Catalogue
    readonly upkeep: NodeJS.Timeout
  } | null = null

  const stop = async (): Promise<void> => {
    if (running === null) return
    clearInterval(running.upkeep)
    await running.listener.close()
    running.catalogue.close()
    running = null
  }

  const upkeep = async (listener: RegistryListener): Promise<void> => {
    await listener.renewTls().catch((error: unknown) => report('the certificate was not renewed', error))
    await uploads.tidy()
    await tidyRefused(content.folder, now())
  }

  return {
    url: () => running?.listener.url ?? null,
    async start(settings) {
      await stop()
      const tokens = createAccessTokens(await loadTokenKey(join(host.folder, 'token.key')), now)
      const catalogue = openCatalogue(join(host.folder, 'catalogue.db'))
      try {
        const parts = { content, catalogue, uploads, releases, changes, report, now }
        const authority = {
          credentials,
          tokens,
          isPrivate: (repository: string) => releases.isSystem(repository),
        }
        const listener = await listenRegistry(settings, parts, authority, record)
        const keepUp = (): void =>
          void upkeep(listener).catch((error: unknown) => report('upkeep failed', error))
        running = {
          listener,
          catalogue,
          upkeep: setInterval(keepUp, (host.intervals ?? usualIntervals).upkeepMs).unref(),
        }
        keepUp()
        log(`registry: answers at ${listener.url}`)
      } catch (error) {
        catalogue.close()
        throw error
      }
    },
    stop,
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
