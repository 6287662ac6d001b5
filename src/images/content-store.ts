import type { Readable } from 'node:stream'
import type { Digest } from '../core/ids.ts'

/** Blobs by digest, in an OCI image layout (image-spec, image-layout.md). Safe for writers at the same time. */
export interface ContentStore {
  /** The layout's folder. */
  readonly folder: string
  has(digest: Digest): Promise<boolean>
  /** Size in bytes; rejects with `image.unknown`. */
  size(digest: Digest): Promise<number>
  /** Stores durably; rejects with `content.corrupt` and keeps nothing when the bytes are not `expected`. */
  put(content: Uint8Array | Readable, expected?: Digest): Promise<StoredBlob>
  /**
   * Reads a blob from end to end. One that is no longer what its digest says is moved aside, so that `has` is false and
   * the next build or import brings it anew; then it rejects with `content.corrupt`.
   */
  verify(digest: Digest): Promise<void>
  /** The whole blob, verified as by `verify`. For documents, not for layers. */
  read(digest: Digest): Promise<Buffer>
  open(digest: Digest): Promise<Readable>
  /** Absolute path of the blob's file. */
  path(digest: Digest): string
  /**
   * Moves blobs that were verified on their way into `from`, a store on the same disk, instead of copying them. Durable
   * when it resolves; `from` no longer has them.
   */
  adopt(from: ContentStore, digests: readonly Digest[]): Promise<void>
  /**
   * Moves a file in that lies on the same disk, was hashed as `blob` and is durable already, instead of copying it.
   * Durable when it resolves; the file is gone.
   */
  take(file: string, blob: StoredBlob): Promise<void>
  /** Entries of index.json. */
  references(): Promise<readonly Descriptor[]>
  /** Adds or replaces the entry with the same digest in index.json. */
  refer(descriptor: Descriptor): Promise<void>
}

export interface StoredBlob {
  readonly digest: Digest
  readonly sizeBytes: number
}

/** OCI content descriptor (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}
