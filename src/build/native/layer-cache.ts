import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { type Digest, digestPattern } from '../../core/ids.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { writeFileAtomic } from '../../util/atomic-write.ts'
import type { LayerPath } from './image-paths.ts'

/** An uncompressed layer in the store; its digest is its diffID too. */
export interface Layer {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly cached: boolean
  /** For people: `package libc6`, `copy web`. */
  readonly createdBy: string
  readonly paths: readonly LayerPath[]
}

/** What a layer was made from, and what came out. */
export interface LayerRecord {
  readonly inputs: string
  readonly digest: Digest
  readonly sizeBytes: number
  /** Kept only where finding them again would need the whole layer. */
  readonly paths?: readonly LayerPath[]
}

/** Which layer came from which inputs. It may be deleted at any time; records whose layer is gone do not count. */
export interface LayerCache {
  /** `place` names the record's file; the record counts only when its `inputs` are these. */
  find(place: string, inputs: string): Promise<LayerRecord | null>
  save(place: string, record: LayerRecord): Promise<void>
}

const pathSchema = z.object({
  path: z.string(),
  kind: z.enum(['file', 'directory', 'symlink']),
  mode: z.number(),
  target: z.string().optional(),
  text: z.string().optional(),
})

const recordSchema = z.object({
  inputs: z.string(),
  digest: z.templateLiteral(['sha256:', z.string()]).refine((digest) => digestPattern.test(digest)),
  sizeBytes: z.number(),
  paths: z.array(pathSchema).optional(),
})

export function openLayerCache(folder: string, store: ContentStore): LayerCache {
  const fileOf = (place: string) => join(folder, `${place}.json`)
  return {
    async find(place, inputs) {
      const record = await readRecord(fileOf(place))
      if (record?.inputs !== inputs || !(await store.has(record.digest))) return null
      return record
    },
    async save(place, record) {
      await mkdir(folder, { recursive: true })
      await writeFileAtomic(fileOf(place), JSON.stringify(record))
    },
  }
}

/** A damaged record is as good as none: the layer is made again. */
async function readRecord(file: string): Promise<LayerRecord | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(file, 'utf8'))) as LayerRecord
  } catch {
    return null
  }
}
