import { BasaltError } from '../../../errors.ts'
import type { ContextEntry } from './context-walk.ts'

const shownFolders = 5

/** Rejects a context over the limit with `build.context-too-large`, naming its size and what it is made of. */
export function assertSize(context: string, entries: readonly ContextEntry[], limitBytes: number): void {
  const total = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (total <= limitBytes) return
  const byFolder = new Map<string, number>()
  for (const { path, sizeBytes } of entries) {
    const [top = ''] = path.split('/')
    byFolder.set(top, (byFolder.get(top) ?? 0) + sizeBytes)
  }
  const biggest = [...byFolder].toSorted(([, a], [, b]) => b - a).slice(0, shownFolders)
  const files = entries.filter(({ kind }) => kind === 'file').length
  throw new BasaltError('build.context-too-large', {
    message: `the build context ${context} has ${mebibytes(total)} in ${files} files, more than ${mebibytes(limitBytes)}: ${biggest
      .map(([name, size]) => `${name} ${mebibytes(size)}`)
      .join(', ')}`,
    remedy:
      'List what the image does not need in .dockerignore, or set BASALT_CONTEXT_LIMIT (in bytes) for the server.',
    details: { sizeBytes: total, limitBytes, biggest: Object.fromEntries(biggest) },
  })
}

const mebibytes = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`
