import type { BasaltError } from '../../../errors.ts'
import type { Need } from './authorize.ts'
import { deleteBlob, deleteManifest } from './delete-content.ts'
import { digestOfText } from './find-content.ts'
import {
  type Exchange,
  sendBlob,
  sendCatalogue,
  sendManifest,
  sendReferrers,
  sendTags,
} from './pull-routes.ts'
import {
  beginUpload,
  cancelUpload,
  continueUpload,
  finishUpload,
  sendUpload,
  takeManifest,
} from './push-routes.ts'
import { refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'
import type { RegistryPath } from './registry-path.ts'

/* Which method does what where: distribution-spec, "Endpoints". */

/** Of what others may rely on; uploads become that by a manifest only. */
export const isChange = ({ kind }: RegistryPath, method: string): boolean =>
  (method === 'PUT' && kind === 'manifest') ||
  (method === 'DELETE' && (kind === 'manifest' || kind === 'blob'))

/** What somebody must be allowed to, for a request. */
export function needOf(path: RegistryPath, method: string): Need {
  if (path.kind === 'base') return null
  if (path.kind === 'catalogue') return { repository: null, action: 'catalogue' }
  const { repository } = path
  if (path.kind === 'uploads' || path.kind === 'upload') return { repository, action: 'push' }
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { repository, action: 'pull' }
    case 'DELETE':
      return { repository, action: 'delete' }
    default:
      return { repository, action: 'push' }
  }
}

/** Resolves with what is to be sent, unless it was sent already. */
export async function serveRequest(
  parts: RegistryParts,
  path: RegistryPath,
  exchange: Exchange,
): Promise<unknown> {
  const { method } = exchange.request
  switch (path.kind) {
    case 'base':
      if (isRead(method)) return {}
      break
    case 'catalogue':
      if (isRead(method)) return sendCatalogue(parts, exchange)
      break
    case 'tags':
      if (isRead(method)) return sendTags(parts, path.repository, exchange)
      break
    case 'referrers':
      if (isRead(method)) return sendReferrers(parts, path.repository, path.reference, exchange)
      break
    case 'manifest':
    case 'blob':
      return serveContent(parts, path, exchange)
    case 'uploads':
      if (method === 'POST') return beginUpload(parts, path.repository, exchange)
      break
    case 'upload':
      return serveUpload(parts, path, exchange)
  }
  throw notServed(exchange)
}

async function serveContent(
  parts: RegistryParts,
  { kind, repository, reference }: Extract<RegistryPath, { readonly reference: string }>,
  exchange: Exchange,
): Promise<unknown> {
  const { method } = exchange.request
  const isManifest = kind === 'manifest'
  if (isRead(method)) return (isManifest ? sendManifest : sendBlob)(parts, repository, reference, exchange)
  if (method === 'PUT' && isManifest) return takeManifest(parts, repository, reference, exchange)
  if (method !== 'DELETE') throw notServed(exchange)
  if (isManifest) await deleteManifest(parts, repository, reference)
  else await deleteBlob(parts, repository, digestOfText(reference))
  return exchange.reply.code(202).send()
}

async function serveUpload(
  parts: RegistryParts,
  { repository, id }: Extract<RegistryPath, { readonly kind: 'upload' }>,
  exchange: Exchange,
): Promise<unknown> {
  switch (exchange.request.method) {
    case 'GET':
      return sendUpload(parts, repository, id, exchange)
    case 'PATCH':
      return continueUpload(parts, repository, id, exchange)
    case 'PUT':
      return finishUpload(parts, repository, id, exchange)
    case 'DELETE':
      return cancelUpload(parts, repository, id, exchange)
    default:
      throw notServed(exchange)
  }
}

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD'

const notServed = ({ request }: Exchange): BasaltError =>
  refusal('UNSUPPORTED', `${request.method} is not served at ${request.url}`)
