import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import type { Digest, ImageDigest } from '../core/ids.ts'
import { digestSchema } from './descriptor.ts'
import type { MountPoints } from './mount-points.ts'
import type { Sealing } from './root-sealing.ts'

/** Raised whenever the same image would be unpacked differently: older roots are then no longer used. */
export const rootFormat = 2

/** Lies beside a root and says what it is. */
export interface RootRecord {
  readonly format: number
  readonly image: ImageDigest
  readonly mountPoints: MountPoints
  readonly sealing: Sealing
  /** Of the sealed image; null for an unpacked folder. */
  readonly erofsDigest: Digest | null
}

const recordSchema = z.object({
  format: z.literal(rootFormat),
  image: digestSchema,
  mountPoints: z.object({ directories: z.array(z.string()), files: z.array(z.string()) }),
  sealing: z.enum(['erofs', 'folder']),
  erofsDigest: digestSchema.nullable(),
}) satisfies z.ZodType<RootRecord>

/** Null where there is no root. */
export async function readRootRecord(path: string): Promise<RootRecord | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    // Absent, or no longer readable: either way the root is made again, which costs a second and loses nothing.
    return null
  }
}
