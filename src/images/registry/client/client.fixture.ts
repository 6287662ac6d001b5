import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Op, ProgressEvent } from '../../../core/op.ts'
import { exec } from '../../../util/exec.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { type Compression, type ImageFixture, storeImage, tarOf } from '../../image.fixture.ts'
import { machinePlatform } from '../../image.ts'
import { openContentStore } from '../../oci-layout-store.ts'
import { createRegistryClient, type RegistryClient } from './registry-client.ts'

export interface ClientFixture {
  readonly folder: string
  readonly store: ContentStore
  readonly client: RegistryClient
  readonly op: Op
  readonly events: ProgressEvent[]
  /** How long it was to wait each time, in milliseconds; nothing is waited for. */
  readonly waits: number[]
  readonly certificatesFolder: string
  writeDockerConfig(config: unknown): void
  /** Files in `corrupt/`. */
  evidence(): readonly string[]
  /** Half fetched things; none shall be left. */
  leftovers(): readonly string[]
  close(): void
}

export async function openClient(environment: NodeJS.ProcessEnv = {}): Promise<ClientFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-registry-client-'))
  const store = await openContentStore(join(folder, 'images'))
  const events: ProgressEvent[] = []
  const waits: number[] = []
  const certificatesFolder = join(folder, 'certs.d')
  mkdirSync(certificatesFolder)
  const client = createRegistryClient({
    store,
    dockerConfig: join(folder, 'config.json'),
    certificatesFolder,
    originsFile: join(folder, 'cache/origins.json'),
    environment,
    exec: (file, args, options) =>
      exec(file, args, { ...options, env: { PATH: `${folder}/bin:${process.env['PATH']}` } }),
    sleep: async (ms, signal) => {
      signal.throwIfAborted()
      waits.push(ms)
    },
    now: Date.now,
  })
  const list = (name: string): readonly string[] =>
    existsSync(join(store.folder, name)) ? readdirSync(join(store.folder, name)) : []
  return {
    folder,
    store,
    client,
    events,
    waits,
    certificatesFolder,
    op: { signal: new AbortController().signal, notify: (event) => events.push(event) },
    writeDockerConfig: (config) => writeFileSync(join(folder, 'config.json'), JSON.stringify(config)),
    evidence: () => list('corrupt'),
    leftovers: () => list('ingest'),
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** An image for this machine, with a layer for each text and a large one that cannot be compressed. */
export async function anImage(
  store: ContentStore,
  texts: readonly string[],
  options: { compression?: Compression; largeBytes?: number } & Partial<ImageFixture> = {},
): Promise<Descriptor> {
  const { largeBytes = 0, ...more } = options
  const layers = await Promise.all(texts.map((text) => tarOf([{ name: `etc/${text}`, content: text }])))
  const large = largeBytes === 0 ? [] : [await tarOf([{ name: 'large', content: randomBytes(largeBytes) }])]
  return storeImage(store, {
    architecture: machinePlatform.architecture,
    layers: [...layers, ...large],
    ...more,
  })
}
