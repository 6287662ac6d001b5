import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { diskError, fsyncFailed } from '../../util/disk-error.ts'

/** Size that the write-ahead log has from the start, and keeps. */
export const walReserveBytes = 2 * 1024 * 1024

/**
 * Beyond this its pages are moved into the ledger's file. The rest of the reserve is for what the estimate of the size
 * misses; and a short log is quicker: commits after 2.5 MB of log took 20 to 30 microseconds longer.
 */
export const walWorkingBytes = 1.25 * 1024 * 1024

/**
 * Writes zeros into the write-ahead log up to its working size. Commits then overwrite blocks that the file
 * has already, which makes their fsync about half as long as that of a growing file; and the outcome of a
 * deployment can still be recorded when the disk has become full.
 *
 * Zeros are no frames: SQLite takes only what carries the salt of the log's header and the right checksum
 * (https://www.sqlite.org/fileformat2.html#walformat), as for the rests of older, longer logs.
 */
export function reserveWal(walPath: string): void {
  try {
    const descriptor = openSync(walPath, 'r+')
    try {
      const { size } = fstatSync(descriptor)
      if (size < walReserveBytes) fill(descriptor, walPath, size)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw diskError(walPath, error)
  }
}

function fill(descriptor: number, walPath: string, from: number): void {
  const zeros = Buffer.alloc(walReserveBytes - from)
  try {
    let written = 0
    while (written < zeros.length)
      written += writeSync(descriptor, zeros, written, zeros.length - written, from + written)
  } catch (error) {
    // No room for a reserve: leave the little there is to the events.
    ftruncateSync(descriptor, from)
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
  try {
    fsyncSync(descriptor)
  } catch (error) {
    throw fsyncFailed(walPath, error)
  }
}
