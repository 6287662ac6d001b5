import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { digestOfBytes } from '../../../core/digest.ts'
import type { Digest } from '../../../core/ids.ts'
import type { ContentStore } from '../../content-store.ts'
import { mediaTypes } from '../../descriptor.ts'
import { openContentStore } from '../../oci-layout-store.ts'
import { openRegistry, type Registry } from './open-registry.ts'
import type { RegistrySettings } from './registry-settings.ts'
import type { RetainedRelease } from './release-shares.ts'
import type { Scope } from './scope.ts'

export interface Ask {
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Buffer | string | Readable
  /** Null: nobody in particular. */
  readonly as?: Scope | null
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Codes of the errors, as the spec has them. */
  readonly codes: readonly string[]
  readonly json: () => Document
}

interface Entry {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly artifactType?: string
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** Every member that some answer has. */
interface Document {
  readonly errors: readonly [Failure, ...Failure[]]
  readonly name: string
  readonly tags: readonly string[]
  readonly repositories: readonly string[]
  readonly artifactType: string
  readonly manifests: readonly Entry[]
  readonly config: Entry
  readonly layers: readonly Entry[]
  readonly token: string
  readonly access_token: string
  readonly expires_in: number
}

/** A registry on a port of its own, with a token for each scope. */
export interface TestRegistry {
  readonly folder: string
  readonly content: ContentStore
  registry: Registry
  /** What the ledger would say. */
  readonly releases: RetainedRelease[]
  readonly log: string[]
  readonly secrets: Readonly<Record<Scope, string>>
  readonly url: string
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** Milliseconds since the epoch; may be set. */
  clock: { now: number }
  ask(method: string, path: string, ask?: Ask): Promise<Answer>
  /** A server that begins anew on the same folders, at the same port. */
  restart(): Promise<void>
  /** The same, after `registry.close`, as its settings say. */
  reopen(): Promise<void>
  close(): Promise<void>
}

export const basic = (name: string, secret: string): string =>
  `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`

export async function openTestRegistry(
  change: Partial<RegistrySettings> & { readonly contentFolder?: string } = {},
): Promise<TestRegistry> {
  const { contentFolder, ...settings } = change
  const folder = mkdtempSync(join(tmpdir(), 'basalt-registry-'))
  const images = contentFolder ?? join(folder, 'images')
  mkdirSync(images, { recursive: true })
  const releases: RetainedRelease[] = []
  const log: string[] = []
  const clock = { now: Date.now() }
  let content = await openContentStore(images)
  const open = () =>
    openRegistry({
      folder: join(folder, 'registry'),
      content,
      releases: () => releases,
      now: () => clock.now,
      log: (message, details) => log.push(JSON.stringify({ message, ...details })),
      intervals: { retryMs: 50, upkeepMs: 50 },
    })
  let registry = await open()
  await registry.enable({ listen: '127.0.0.1:0', tls: null, anonymousPull: true, ...settings })
  const secrets = { pull: '', push: '', delete: '' }
  for (const scope of ['pull', 'push', 'delete'] as const)
    secrets[scope] = (await registry.grant({ name: scope, scope, createdBy: 'test' })).secret
  const url = (): string => registry.status().url ?? ''

  return {
    folder,
    get content() {
      return content
    },
    get registry() {
      return registry
    },
    releases,
    log,
    secrets,
    clock,
    get url() {
      return url()
    },
    get host() {
      return url().replace(/^https?:\/\//, '')
    },
    ask(method, path, { headers = {}, body, as = 'delete' } = {}) {
      const authorization = as === null ? {} : { authorization: basic(as, secrets[as]) }
      return send(new URL(path, url()), method, { ...authorization, ...headers }, body)
    },
    async restart() {
      const { host } = new URL(url())
      await registry.close()
      content = await openContentStore(images)
      registry = await open()
      await registry.enable({ listen: host, tls: null, anonymousPull: true, ...settings })
    },
    async reopen() {
      registry = await open()
    },
    async close() {
      await registry.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function send(
  url: URL,
  method: string,
  headers: Readonly<Record<string, string | number>>,
  body: Ask['body'],
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length =
      typeof body === 'string' || body instanceof Buffer ? { 'content-length': Buffer.byteLength(body) } : {}
    const call = request(url, { method, agent: false, headers: { ...length, ...headers } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const json = () => JSON.parse(bytes.toString()) as Document
        const isError = (response.statusCode ?? 0) >= 400 && bytes.byteLength > 0
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: bytes,
          codes: isError ? json().errors.map(({ code }) => code) : [],
          json,
        })
      })
    })
    call.on('error', reject)
    if (body instanceof Readable) {
      body.on('error', () => call.destroy())
      body.pipe(call)
    } else call.end(body)
  })
}

/** Pushes a blob in one request; resolves with its digest. */
export async function pushBlob(
  registry: TestRegistry,
  repository: string,
  bytes: Buffer | string,
): Promise<Digest> {
  const digest = digestOfBytes(bytes)
  const { status, body } = await registry.ask('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(bytes),
  })
  if (status !== 201) throw new Error(`${status} ${body.toString()}`)
  return digest
}

export interface TestManifest {
  readonly digest: Digest
  readonly bytes: Buffer
  readonly mediaType: string
  readonly config: Digest
  readonly layer: Digest
}

/** Pushes what a manifest needs; the manifest itself is left to the test. */
export async function prepareManifest(
  registry: TestRegistry,
  repository: string,
  text: string,
  members: Readonly<Record<string, unknown>> = {},
): Promise<TestManifest> {
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] }, text }),
  )
  const layer = Buffer.from(`layer of ${text}`)
  await pushBlob(registry, repository, config)
  await pushBlob(registry, repository, layer)
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: digestOfBytes(bytes),
    size: bytes.byteLength,
  })
  const bytes = jsonBytes({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: descriptor(mediaTypes.config, config),
    layers: [descriptor(mediaTypes.layerTar, layer)],
    ...members,
  })
  return {
    bytes,
    digest: digestOfBytes(bytes),
    mediaType: mediaTypes.manifest,
    config: digestOfBytes(config),
    layer: digestOfBytes(layer),
  }
}

/** Not as any encoder of ours would write it: the registry must give back these bytes. */
export const jsonBytes = (document: unknown): Buffer => Buffer.from(`${JSON.stringify(document, null, 3)}\n`)

export const putManifest = (
  registry: TestRegistry,
  repository: string,
  reference: string,
  { bytes, mediaType }: Pick<TestManifest, 'bytes' | 'mediaType'>,
  as: Scope | null = 'push',
): Promise<Answer> =>
  registry.ask('PUT', `/v2/${repository}/manifests/${reference}`, {
    headers: { 'content-type': mediaType },
    body: bytes,
    as,
  })
