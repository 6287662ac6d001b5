import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as z from 'zod'
import type { Digest } from '../../../core/ids.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { digestSchema } from '../../descriptor.ts'

/**
 * In which repository of a registry a blob was seen last, so that a push to another one need not send it again. May be
 * forgotten at any time: it costs time only.
 */
export interface BlobOrigins {
  find(registry: string, digest: Digest): string | null
  note(registry: string, repository: string, digest: Digest): void
  /** Keeps what was noted for the next server. */
  save(): Promise<void>
}

const maxBlobs = 20_000
const fileSchema = z.array(z.tuple([z.string(), z.string(), digestSchema])).max(maxBlobs)

export async function openBlobOrigins(file: string): Promise<BlobOrigins> {
  const known = new Map<string, readonly [string, string, Digest]>()
  const keyOf = (registry: string, digest: Digest): string => `${registry} ${digest}`
  const note: BlobOrigins['note'] = (registry, repository, digest) => {
    // Deleted first, so that the oldest stand first and are forgotten first.
    known.delete(keyOf(registry, digest))
    known.set(keyOf(registry, digest), [registry, repository, digest])
    for (const oldest of known.keys()) {
      if (known.size <= maxBlobs) break
      known.delete(oldest)
    }
  }
  for (const [registry, repository, digest] of await readEntries(file)) note(registry, repository, digest)
  return {
    find: (registry, digest) => known.get(keyOf(registry, digest))?.[1] ?? null,
    note,
    async save() {
      await mkdir(dirname(file), { recursive: true })
      await writeFileAtomic(file, JSON.stringify([...known.values()]), { mode: 0o600 })
    },
  }
}

/** A file that cannot be read says nothing. */
async function readEntries(file: string): Promise<z.infer<typeof fileSchema>> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return []
  }
}
