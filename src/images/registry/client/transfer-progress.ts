import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'

/** One blob on its way, told from time to time. */
export interface Transfer {
  advance(bytes: number): void
  done(): void
}

const words = { fetch: ['fetching', 'fetched'], send: ['sending', 'sent'] } as const

/** A fiftieth of a blob, but no less than this, between two events. */
const leastStepBytes = 2 ** 20

/** Tells by bytes, not by time, so that a run tells the same wherever it is as fast. */
export function trackTransfer(
  kind: keyof typeof words,
  { digest, size: sizeBytes }: { readonly digest: Digest; readonly size: number },
  op: Op,
): Transfer {
  const [doing, did] = words[kind]
  const name = digest.slice(0, 'sha256:'.length + 12)
  const step = Math.max(leastStepBytes, sizeBytes / 50)
  let doneBytes = 0
  let toldBytes = 0
  return {
    advance(bytes) {
      doneBytes += bytes
      if (doneBytes - toldBytes < step || doneBytes >= sizeBytes) return
      toldBytes = doneBytes
      op.notify?.({
        code: `image.${doing}`,
        message: `${name}: ${doing}, ${megabytes(doneBytes)} of ${megabytes(sizeBytes)} MB`,
        data: { digest, doneBytes, sizeBytes },
      })
    },
    done() {
      op.notify?.({
        code: `image.${did}`,
        message: `${name}: ${did}, ${megabytes(sizeBytes)} MB`,
        data: { digest, doneBytes: sizeBytes, sizeBytes },
      })
    },
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
