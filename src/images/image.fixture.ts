import { gzipSync, zstdCompressSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'
import { digestOfBytes } from '../core/digest.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { mediaTypes } from './descriptor.ts'

/** A member as an attacker could write it: nothing is checked. */
export interface Member extends Partial<Header> {
  readonly name: string
  readonly pax?: Readonly<Record<string, string>>
  readonly content?: string | Buffer
}

/** A tar made by another library than the one under test. */
export async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const archive = pack()
  for (const { content, ...header } of members)
    archive.entry({ mtime: new Date(1_000_000_000_000), mode: 0o644, ...header }, content ?? '')
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export type Compression = 'none' | 'gzip' | 'zstd'

const compressed = {
  none: { mediaType: mediaTypes.layerTar, encode: (bytes: Buffer) => bytes },
  gzip: { mediaType: mediaTypes.layerTarGzip, encode: (bytes: Buffer) => gzipSync(bytes) },
  zstd: { mediaType: mediaTypes.layerTarZstd, encode: (bytes: Buffer) => zstdCompressSync(bytes) },
} as const

export interface ImageFixture {
  readonly layers: readonly Buffer[]
  readonly compression?: Compression
  /** Members of the config's `config`. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly architecture?: string
  /** Replaces members of the finished documents. */
  readonly manifest?: Readonly<Record<string, unknown>>
  readonly diffIds?: readonly string[]
}

export async function storeImage(store: ContentStore, image: ImageFixture): Promise<Descriptor> {
  const { mediaType, encode } = compressed[image.compression ?? 'none']
  const layers = await Promise.all(image.layers.map((layer) => storeBytes(store, mediaType, encode(layer))))
  const config = await storeJson(store, mediaTypes.config, {
    os: 'linux',
    architecture: image.architecture ?? 'amd64',
    rootfs: { type: 'layers', diff_ids: image.diffIds ?? image.layers.map((layer) => digestOfBytes(layer)) },
    config: image.config ?? {},
  })
  return storeJson(store, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers,
    ...image.manifest,
  })
}

export const storeJson = (store: ContentStore, mediaType: string, document: unknown): Promise<Descriptor> =>
  storeBytes(store, mediaType, Buffer.from(JSON.stringify(document)))

async function storeBytes(store: ContentStore, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const { digest, sizeBytes } = await store.put(bytes)
  return { mediaType, digest, size: sizeBytes }
}
