import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as z from 'zod'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { digestSchema } from '../../images/descriptor.ts'
import { loadImage } from '../../images/image.ts'
import { writeFileAtomic } from '../../util/atomic-write.ts'
import { backendNames } from './backend.ts'
import { readJson } from './context/content-hashes.ts'

const recordSchema = z.object({
  /** Digest of all that went in. */
  key: z.string(),
  image: digestSchema,
  sizeBytes: z.number(),
  program: z.enum(backendNames),
  version: z.string(),
  grade: z.enum(['bit-reproducible', 'inputs pinned', 'recorded only']),
  reasons: z.array(z.string()),
  log: digestSchema,
  /** What the program still has of this build; see MadeImage.tidy. */
  left: z.string().nullable(),
})

/** The last build of a recipe, and what came out. */
export type BuildRecord = z.infer<typeof recordSchema>

/** Null where there is none; it may be deleted at any time. */
export const readRecord = (file: string): Promise<BuildRecord | null> => readJson(file, recordSchema)

export async function writeRecord(file: string, record: BuildRecord): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFileAtomic(file, JSON.stringify(record))
}

/** Whether everything that a record names is still in the store. */
export async function isStored({ image, log }: BuildRecord, store: ContentStore): Promise<boolean> {
  try {
    const { layers, configDescriptor } = await loadImage(store, image)
    const blobs = [configDescriptor.digest, log, ...layers.map(({ descriptor }) => descriptor.digest)]
    return (await Promise.all(blobs.map((digest) => store.has(digest)))).every(Boolean)
  } catch (cause) {
    if (cause instanceof BasaltError) return false
    throw cause
  }
}
