import { belongsToRuntime, isWithin } from '../../core/container-path.ts'
import type { VolumeMount, WritablePath } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
import { isBlock } from './is-block.ts'
import { sizeBytes } from './quantities.ts'
import type { Scope } from './scope.ts'

interface Mounts {
  readonly writable: readonly WritablePath[]
  readonly volumes: readonly VolumeMount[]
}

const pageBytes = 4096

/**
 * Writable paths and volumes; none may lie in another or hide what the runtime mounts. Unsound parts are left out: a
 * mistake is reported, so nobody sees the result.
 */
export function resolveMounts(service: ServiceManifest, scope: Scope): Mounts {
  const items = scope.within('writable').soundItems(service.writable)
  const writable = items.flatMap(([index, item]): readonly (WritablePath & PlacedPath)[] => {
    const { path, size } = typeof item === 'string' ? { path: item } : item
    const bytes = sizeBytes(size ?? defaults.writableSize)
    if (bytes < pageBytes || !Number.isSafeInteger(bytes))
      scope.report(
        ['writable', index, 'size'],
        `${String(size)} is no useful size`,
        'Write for example `16M`.',
      )
    if (path === undefined) return []
    return [{ path: withoutTrailingSlash(path), sizeBytes: bytes, at: ['writable', index] }]
  })
  const volumes = Object.entries(scope.within('volumes').soundPart(service.volumes) ?? {}).flatMap(
    ([name, path]): readonly VolumeMount[] =>
      path === undefined ? [] : [{ name, path: withoutTrailingSlash(path) }],
  )
  if (volumeNames(service).length > 0 && scope.isSound('stateful') && service.stateful !== true)
    scope.report(
      ['volumes'],
      'volumes need a stateful service',
      'Add `stateful: true`, or use `writable` for data that may go with the instance.',
      'key',
    )
  refuseOverlaps([...writable, ...volumes.map(({ path, name }) => ({ path, at: ['volumes', name] }))], scope)
  return { writable: writable.map(({ path, sizeBytes }) => ({ path, sizeBytes })), volumes }
}

/** Sound or not. */
export const volumeNames = ({ volumes }: ServiceManifest): readonly string[] =>
  isBlock(volumes) ? Object.keys(volumes) : []

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
      .filter(({ path }) => !belongsToRuntime(path))
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
