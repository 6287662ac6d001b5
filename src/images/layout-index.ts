import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { canonicalJson } from '../core/digest.ts'
import { BasaltError } from '../errors.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { coalesce } from '../util/coalesce.ts'
import type { Descriptor } from './content-store.ts'
import { descriptorSchema, mediaTypes } from './descriptor.ts'

/** index.json of an OCI image layout (image-spec, image-layout.md). One writer process at a time. */
export interface LayoutIndex {
  read(): Promise<readonly Descriptor[]>
  /** Adds the descriptor, or replaces the one with the same digest. Durable when it resolves. */
  put(descriptor: Descriptor): Promise<void>
}

const layoutIndexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptorSchema),
})

export const parseLayoutIndex = (text: string): readonly Descriptor[] =>
  layoutIndexSchema.parse(JSON.parse(text)).manifests

export const encodeLayoutIndex = (manifests: readonly Descriptor[]): string =>
  canonicalJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests })

export function createLayoutIndex(folder: string): LayoutIndex {
  const path = join(folder, 'index.json')
  let queued: Descriptor[] = []

  const read = async (): Promise<readonly Descriptor[]> => {
    const text = await readFile(path, 'utf8')
    try {
      return parseLayoutIndex(text)
    } catch (cause) {
      throw new BasaltError('content.corrupt', {
        message: `${path} is not the index of an OCI image layout`,
        remedy: 'Restore the file from a backup; blobs are not affected.',
        cause,
      })
    }
  }

  /** One write serves everybody who waits: twenty images referred to at once cost one fsync. */
  const flush = coalesce(async () => {
    const batch = queued
    queued = []
    const entries = new Map((await read()).map((entry) => [entry.digest, entry]))
    const before = encodeLayoutIndex([...entries.values()])
    for (const descriptor of batch) entries.set(descriptor.digest, descriptor)
    const after = encodeLayoutIndex([...entries.values()])
    if (after !== before) await writeFileAtomic(path, after)
  })

  return {
    read,
    put(descriptor) {
      queued.push(descriptor)
      return flush()
    },
  }
}
