import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isLeftover } from './temporary-name.ts'

/**
 * Removes what processes that were killed left half made in a folder: whatever is named by `temporaryName`, files of
 * `writeFileAtomic` included. In a folder that others use too, `prefix` says which names are ours. A folder that is not
 * there has nothing to remove.
 */
export async function removeLeftovers(folder: string, prefix = ''): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => []))
    if (name.startsWith(prefix) && isLeftover(name))
      await rm(join(folder, name), { recursive: true, force: true })
}
