import { posix } from 'node:path'
import type { DockerfileRecipe } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { DockerfileManifest } from '../schema/dockerfile-schema.ts'
import type { Scope } from './scope.ts'
import { textValues } from './text-values.ts'

/** `scope` is that of the `build` key. Null when what stands there is not sound. */
export function resolveDockerfile(
  written: string | DockerfileManifest,
  scope: Scope,
): DockerfileRecipe | null {
  if (typeof written === 'string') return scope.isSound() ? fromBlock({ context: written }) : null
  const block = scope.soundPart(written)
  return block === undefined ? null : fromBlock(block)
}

const fromBlock = (block: Partial<DockerfileManifest>): DockerfileRecipe => ({
  context: cleanPath(block.context ?? '.'),
  dockerfile: cleanPath(block.dockerfile ?? defaults.build.dockerfile),
  target: block.target ?? null,
  args: textValues(block.args),
  secrets: Object.entries(block.secrets ?? {})
    .map(([id, file]) => ({ id, file: cleanPath(file) }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  ignore: block.ignore ?? [],
})

const cleanPath = (path: string): string => posix.normalize(path).replace(/(?<=.)\/$/, '')
