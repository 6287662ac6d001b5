import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../../../core/digest.ts'
import { exec } from '../../../util/exec.ts'
import { createMutex } from '../../../util/mutex.ts'
import { type Architecture, type SeccompConfig, seccompFor } from '../bundle/seccomp.ts'
import type { OciRuntime } from './oci-runtime.ts'
import { trialConfig, trialMountPoints } from './trial-config.ts'

/** The container that is only made to have its filter compiled; a crash leaves it to the next sweep of the state. */
const container = 'seccomp-compiler'

/**
 * Seccomp filters compiled once a boot instead of at every start: compiling takes crun as long as all the rest
 * of a start, and it holds the compiler's memory for as long as the instance runs.
 *
 * @param runtimeState the runtime's state folder; it does not outlive a boot
 */
export function createSeccompFilters(
  runtime: OciRuntime,
  architecture: Architecture,
  runtimeState: string,
): (capabilities: readonly string[]) => Promise<string | null> {
  const filters = new Map<string, Promise<string | null>>()
  const oneAtATime = createMutex()

  async function filterFor(capabilities: readonly string[]): Promise<string | null> {
    const seccomp = seccompFor(architecture, capabilities)
    const folder = join(runtimeState, '.seccomp')
    const name = digestOf({ runtime: runtime.version, seccomp: JSON.stringify(seccomp) }).slice(-32)
    const stored = await readFile(join(folder, name), 'utf8').catch(() => null)
    if (stored !== null && stored.length > 0) return stored
    const filter = await oneAtATime.run(() => compile(runtime, seccomp, runtimeState, join(folder, 'bundle')))
    if (filter !== null) await writeFile(join(folder, name), filter)
    return filter
  }

  return (capabilities) => {
    if (runtime.name !== 'crun') return Promise.resolve(null)
    const key = capabilities.join(' ')
    const filter = filters.get(key) ?? filterFor(capabilities)
    filters.set(key, filter)
    return filter
  }
}

/** Lets crun make a container without starting it, and takes the filter that it left there; null: it left none. */
async function compile(
  runtime: OciRuntime,
  seccomp: SeccompConfig,
  state: string,
  bundle: string,
): Promise<string | null> {
  const run = (program = '', ...args: readonly string[]) => exec(program, args)
  const remove = () => run(...runtime.command(['--root', state, 'delete', '--force', container]))
  await remove()
  try {
    const root = join(bundle, 'root')
    for (const path of trialMountPoints()) await mkdir(join(root, path), { recursive: true })
    await writeFile(join(bundle, 'config.json'), JSON.stringify(trialConfig(root, container, seccomp)))
    const create = runtime.command(['--root', state, 'create', '--bundle', bundle, container])
    // What was made holds the output of whoever made it.
    await run('sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh', ...create)
    const filter = await readFile(join(state, container, 'seccomp.bpf')).catch(() => null)
    return filter === null || filter.length === 0 ? null : filter.toString('base64')
  } finally {
    await remove()
    await rm(bundle, { recursive: true, force: true })
  }
}
