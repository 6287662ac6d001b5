import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Keeps compiled code between commands: about a third of a short command's time. In the user's own folder,
 * because what root loads must not come from a shared one such as /tmp.
 */
export function useCompileCache(environment: Readonly<Record<string, string | undefined>>): void {
  const caches = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  enableCompileCache(join(caches, 'basalt', 'compiled'))
}
