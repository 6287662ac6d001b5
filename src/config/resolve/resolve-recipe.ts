import type { CopySpec, NativeRecipe, RecipeBase } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { RecipeManifest } from '../schema/recipe-schema.ts'
import { resolveArguments } from './resolve-arguments.ts'
import { resolveImage } from './resolve-image.ts'
import { withoutTrailingSlash } from './resolve-mounts.ts'
import { resolveOwner, resolveUser } from './resolve-user.ts'
import type { Scope, SoundItem } from './scope.ts'
import { textValues } from './text-values.ts'

/** `scope` is that of the `build` key. Null when that is no block. */
export function resolveRecipe(block: RecipeManifest, scope: Scope): NativeRecipe<RecipeBase> | null {
  const recipe = scope.soundPart(block)
  if (recipe === undefined) return null
  const base = resolveBase(recipe.base ?? 'debian', scope)
  if (base.kind !== 'debian' && Array.isArray(block.packages) && block.packages.length > 0)
    scope.report(
      ['packages'],
      `packages cannot be added to the base \`${recipe.base}\``,
      'Write `base: debian`, or remove them.',
      'key',
    )
  return {
    base,
    packages: [...new Set(recipe.packages)].toSorted(),
    copy: scope
      .within('copy')
      .soundItems(block.copy)
      .map(([index, copy]) => resolveCopy(copy, scope, ['copy', index])),
    env: textValues(recipe.env),
    workdir: withoutTrailingSlash(recipe.workdir ?? defaults.build.workdir),
    entrypoint:
      block.entrypoint === undefined ? [] : resolveArguments(block.entrypoint, scope, ['entrypoint']),
    user: resolveUser(recipe.user, scope),
    labels: textValues(recipe.labels),
  }
}

function resolveBase(base: string, scope: Scope): RecipeBase {
  if (base === 'scratch') return { kind: 'scratch' }
  const [debian, suite] = base.split(':')
  if (debian === 'debian') return { kind: 'debian', suite: suite ?? defaults.build.suite }
  // One that was reported goes on as it is, so that it does not hide mistakes in the rest of the recipe.
  return resolveImage(base, scope, ['base']) ?? { kind: 'reference', reference: base }
}

type CopyManifest = NonNullable<RecipeManifest['copy']>[number]

function resolveCopy(written: SoundItem<CopyManifest>, scope: Scope, path: ManifestPath): CopySpec {
  const copy = typeof written === 'string' ? fromShort(written) : written
  const { from: source = '', to = '/' } = copy
  if (to !== '/' && to.endsWith('/'))
    scope.report(
      typeof written === 'string' ? path : [...path, 'to'],
      `\`${to}\` ends with \`/\`, which leaves open what the copy is called`,
      `Write its full path: \`${to.slice(0, -1)}\` for a folder, \`${to}${source.split('/').at(-1) ?? ''}\` for a file.`,
    )
  const from = source
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')
  return {
    from: from === '' ? '.' : from,
    to: withoutTrailingSlash(to),
    mode: copy.mode === undefined ? null : Number.parseInt(String(copy.mode), 8),
    ...resolveOwner(copy.owner, scope, path),
    ignore: copy.ignore ?? [],
  }
}

type CopyBlock = Exclude<CopyManifest, string>

function fromShort(text: string): CopyBlock {
  const colon = text.indexOf(':')
  return { from: text.slice(0, colon), to: text.slice(colon + 1) }
}
