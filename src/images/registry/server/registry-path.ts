import { refusal } from './refusal.ts'
import { isRepositoryName } from './repository-name.ts'

/** What a path under `/v2/` names (distribution-spec, "Endpoints"). */
export type RegistryPath =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalogue' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly reference: string }

/** Null: no such endpoint. Throws NAME_INVALID. Names may hold any of the words, so the last one decides. */
export function parseRegistryPath(url: string): RegistryPath | null {
  const path = decode(url.split('?', 1)[0] ?? '')
  if (path === '/v2/' || path === '/v2') return { kind: 'base' }
  if (path === '/v2/_catalog') return { kind: 'catalogue' }
  const match =
    /^\/v2\/(.+)\/(?:(tags)\/list|(blobs\/uploads)\/?|(?:(blobs\/uploads|blobs|manifests|referrers)\/([^/]+)))$/.exec(
      path,
    )
  if (match === null) return null
  const [, repository = '', tags, uploads, kind, last = ''] = match
  if (!isRepositoryName(repository))
    throw refusal('NAME_INVALID', `"${repository}" is no name of a repository`)
  if (tags !== undefined) return { kind: 'tags', repository }
  if (uploads !== undefined) return { kind: 'uploads', repository }
  switch (kind) {
    case 'blobs/uploads':
      return { kind: 'upload', repository, id: last }
    case 'blobs':
      return { kind: 'blob', repository, reference: last }
    case 'manifests':
      return { kind: 'manifest', repository, reference: last }
    default:
      return { kind: 'referrers', repository, reference: last }
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    throw refusal('NAME_INVALID', `"${path}" is not encoded as a path`, { cause })
  }
}
