import { mkdir, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Digest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import { diskError } from '../util/disk-error.ts'

/**
 * Moves a blob that went bad into `corrupt/`, so that it counts as missing: then a build or an import brings it anew,
 * while it would leave alone what is there. Kept, as it may be all that is left of the bytes. Rejects with
 * `content.corrupt` always.
 */
export async function moveAside(layoutFolder: string, blob: string, digest: Digest): Promise<never> {
  const folder = join(layoutFolder, 'corrupt')
  const aside = join(folder, basename(blob))
  try {
    await mkdir(folder, { recursive: true })
    await rename(blob, aside)
  } catch (cause) {
    // Another reader was faster.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw diskError(folder, cause)
  }
  throw new BasaltError('content.corrupt', {
    message: `${blob} no longer had the digest ${digest}, and was moved to ${aside}`,
    remedy:
      'Check the disk; then build again, `basalt build`, or import the release again, `basalt release import`: either brings the blob anew.',
    details: { digest, aside },
  })
}
