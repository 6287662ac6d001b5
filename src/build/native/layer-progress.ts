import type { Op } from '../../core/op.ts'
import type { Layer } from './layer-cache.ts'

/** Tells that a layer of a service is there. */
export function notifyLayer({ createdBy, digest, sizeBytes, cached }: Layer, service: string, op: Op): void {
  op.notify?.({
    code: 'build.layer',
    message: `${service}: ${createdBy}${cached ? ' (cached)' : ''}`,
    data: { service, createdBy, digest, sizeBytes, cached },
  })
}
