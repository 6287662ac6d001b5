import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { Scope } from './scope.ts'

/** 2^32 - 1 means "no change" to chown(2). */
const mostId = 4_294_967_294

export function resolveUser(written: string | number | undefined, scope: Scope): string | null {
  if (written === undefined) return null
  const user = String(written)
  if (/^\d/.test(user)) checkIds(user, scope, ['user'])
  return user
}

export function resolveOwner(
  written: string | number | undefined,
  scope: Scope,
  path: ManifestPath,
): { readonly uid: number; readonly gid: number } {
  const owner = String(written ?? defaults.copy.owner)
  checkIds(owner, scope, [...path, 'owner'])
  const [uid, gid] = owner.split(':')
  return { uid: Number(uid), gid: Number(gid ?? uid) }
}

function checkIds(text: string, scope: Scope, path: ManifestPath): void {
  if (text.split(':').some((id) => Number(id) > mostId))
    scope.report(path, `\`${text}\` is beyond the largest id`, `Ids go up to ${mostId}.`)
}
