import { belongsToRuntime, isWithin } from '../../core/container-path.ts'
import type { VolumeMount, WritablePath } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
import { sizeBytes } from './quantities.ts'
import type { Scope } from './scope.ts'

interface Mounts {
  readonly writable: readonly WritablePath[]
  readonly volumes: readonly VolumeMount[]
}

const pageBytes = 4096

/** Writable paths and volumes; none may lie in another or hide what the runtime mounts. */
export function resolveMounts(service: ServiceManifest, scope: Scope): Mounts | null {
  if (!scope.isSound('writable', 'volumes', 'stateful')) return null
  const writable = (service.writable ?? []).map((item, index): WritablePath => {
    const { path, size } = typeof item === 'string' ? { path: item } : item
    const bytes = sizeBytes(size ?? defaults.writableSize)
    if (bytes < pageBytes || !Number.isSafeInteger(bytes))
      scope.report(
        ['writable', index, 'size'],
        `${String(size)} is no useful size`,
        'Write for example `16M`.',
      )
    return { path: withoutTrailingSlash(path), sizeBytes: bytes }
  })
  const volumes = Object.entries(service.volumes ?? {}).map(
    ([name, path]): VolumeMount => ({ name, path: withoutTrailingSlash(path) }),
  )
  if (volumes.length > 0 && service.stateful !== true)
    scope.report(
      ['volumes'],
      'volumes need a stateful service',
      'Add `stateful: true`, or use `writable` for data that may go with the instance.',
      'key',
    )
  refuseOverlaps(
    [
      ...writable.map(({ path }, index) => ({ path, at: ['writable', index] })),
      ...volumes.map(({ path, name }) => ({ path, at: ['volumes', name] })),
    ],
    scope,
  )
  return { writable, volumes }
}

interface PlacedPath {
  readonly path: string
  readonly at: ManifestPath
}

function refuseOverlaps(mounts: readonly PlacedPath[], scope: Scope): void {
  for (const [index, mount] of mounts.entries()) {
    if (belongsToRuntime(mount.path)) {
      const remedy =
        mount.path === '/'
          ? 'The root stays read-only: name the folders that are written to.'
          : 'Choose another path.'
      scope.report(mount.at, `\`${mount.path}\` belongs to the runtime`, remedy)
      continue
    }
    const other = mounts
      .slice(0, index)
      .find(({ path }) => isWithin(mount.path, path) || isWithin(path, mount.path))
    if (other === undefined) continue
    const fact =
      other.path === mount.path
        ? `\`${mount.path}\` is mounted twice`
        : `\`${mount.path}\` and \`${other.path}\` lie in one another`
    scope.report(mount.at, fact, 'Keep the outer one, or choose paths beside each other.')
  }
}

export const withoutTrailingSlash = (path: string): string => (path === '/' ? path : path.replace(/\/$/, ''))
