import { BasaltError } from '../errors.ts'

/** Translates what the file system says about a failed write. What is translated already passes through. */
export function diskError(path: string, cause: unknown): BasaltError {
  if (cause instanceof BasaltError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(path, cause)
  return new BasaltError('store.unavailable', {
    message: `${path} could not be written: ${message}`,
    remedy: 'Check the disk and the rights of the state folder: `basalt doctor`.',
    details: { path },
    cause,
  })
}

/** For what is told in words only, as by a program. */
export const diskFull = (path: string, cause?: unknown): BasaltError =>
  new BasaltError('host.disk-full', {
    message: `no space is left to write ${path}`,
    remedy: 'Free space on that disk, or move the state folder with BASALT_HOME; then run the command again.',
    details: { path },
    cause,
  })

/**
 * After a failed fsync the kernel may have dropped the bytes and says so only once. It is never retried:
 * whoever gets this error must give up writing.
 */
export const fsyncFailed = (path: string, cause: unknown): BasaltError =>
  new BasaltError('store.unavailable', {
    message: `the disk did not confirm that ${path} is stored`,
    remedy: 'Check the disk (`dmesg`), then start the server again.',
    details: { path, fsync: true },
    cause,
  })

/** Awaits work on files and translates its failure. */
export const onDisk = <T>(path: string, work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw diskError(path, cause)
  })
