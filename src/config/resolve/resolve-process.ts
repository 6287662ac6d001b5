import type { Limits, RunSpec } from '../../core/system.ts'
import { closestName } from '../closest-name.ts'
import { defaults } from '../defaults.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
import { linuxCapabilities, linuxSignals } from './linux-names.ts'
import { sizeBytes } from './quantities.ts'
import { resolveDuration } from './resolve-timing.ts'
import type { Scope } from './scope.ts'

const leastMemoryBytes = 4 * 1024 * 1024

/** Only what is written; `scope` is that of the `limits` key. */
export function resolveLimits(block: ServiceManifest['limits'], scope: Scope): Partial<Limits> {
  const written = scope.soundPart(block)
  const memoryBytes = written?.memory === undefined ? undefined : sizeBytes(written.memory)
  if (memoryBytes !== undefined && (memoryBytes < leastMemoryBytes || !Number.isSafeInteger(memoryBytes)))
    scope.report(['memory'], `${String(written?.memory)} of memory is out of range`, 'Write at least `4M`.')
  return {
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(written?.cpus !== undefined && { cpus: written.cpus }),
    ...(written?.pids !== undefined && { pids: written.pids }),
  }
}

/** Sorted, with the `CAP_` prefix, each once. */
export function resolveCapabilities(written: readonly string[] | undefined, scope: Scope): readonly string[] {
  const sound = scope.within('capabilities').soundItems(written)
  const names = sound.map(([index, name]) => {
    const bare = name.toUpperCase().replace(/^CAP_/, '')
    if (!linuxCapabilities.includes(bare)) {
      const close = closestName(bare, linuxCapabilities)
      const remedy =
        bare === 'ALL'
          ? 'Name each one that is needed.'
          : close === null
            ? 'See `man 7 capabilities`.'
            : `did you mean \`${close}\`?`
      scope.report(['capabilities', index], `\`${name}\` is not a Linux capability`, remedy)
    }
    return `CAP_${bare}`
  })
  return [...new Set(names)].toSorted()
}

export function resolveStop(block: ServiceManifest['stop'], scope: Scope): RunSpec['stop'] {
  const stop = scope.within('stop')
  const written = stop.soundPart(block)
  const typed = written?.signal ?? defaults.stop.signal
  const signal = typed.startsWith('SIG') ? typed : `SIG${typed}`
  if (!linuxSignals.includes(signal)) {
    // Without the prefix that all share, and by which all are alike.
    const close = closestName(
      signal.slice('SIG'.length),
      linuxSignals.map((known) => known.slice('SIG'.length)),
    )
    const remedy = close === null ? 'Write for example `SIGTERM`.' : `did you mean \`SIG${close}\`?`
    stop.report(['signal'], `\`${typed}\` is not a signal that ends a process`, remedy)
  }
  return { signal, graceMs: resolveDuration(written?.grace ?? defaults.stop.grace, stop, ['grace'], 0) }
}
