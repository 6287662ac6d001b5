import { statfsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { exec } from '../../util/exec.ts'

/** What statfs(2) calls tmpfs. */
const tmpfsType = 0x01021994
/** An instance takes some 80 KB. */
const sizeLimit = '512m'

/**
 * The folder of what a boot ends anyway, in memory: where /run itself is not, by a tmpfs of its own. On a disk fifty
 * instances that start at once took half as long again: their small files wait for the file system's journal and for each
 * other. Where mounting is not allowed it stays on the disk, and only that is lost.
 */
export async function openRunFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (isInMemory(folder)) return
  await exec('mount', ['-t', 'tmpfs', '-o', `mode=0700,nosuid,nodev,size=${sizeLimit}`, 'basalt', folder])
}

/** What is not there is success. */
export async function removeRunFolder(folder: string): Promise<void> {
  // Says that it is no mount point where the folder is in memory with all of /run.
  await exec('umount', [folder])
  await rm(folder, { recursive: true, force: true })
}

const isInMemory = (folder: string): boolean => statfsSync(folder).type === tmpfsType
