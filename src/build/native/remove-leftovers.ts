import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isProcessAlive } from '../../util/process-alive.ts'

/** `123-packages-x` and `x.123-y.tmp`: what process 123 was about to make. */
const unfinished = /^(?:(\d+)-|.*\.(\d+)-[^.]+\.tmp$)/

/** Removes what builds of processes that were killed left behind. */
export async function removeLeftovers(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (const name of await readdir(folder).catch((): string[] => [])) {
      const [, first, second] = unfinished.exec(name) ?? []
      const pid = Number(first ?? second)
      if (pid > 0 && !isProcessAlive(pid)) await rm(join(folder, name), { recursive: true, force: true })
    }
  }
}
