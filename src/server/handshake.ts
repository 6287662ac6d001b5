import type { FastifyRequest } from 'fastify'
import { BasaltError } from '../errors.ts'
import { apiHeader, apiVersion, oldestApiVersion, versionHeader } from './protocol.ts'

/**
 * Refuses a client whose API version this server does not speak, naming both sides. A client that states none
 * (curl) asked for `/v1` and gets it.
 */
export function checkClientVersion(request: FastifyRequest, serverVersion: string): void {
  const stated = request.headers[apiHeader]
  if (stated === undefined) return
  const clientApi = Number(stated)
  if (clientApi >= oldestApiVersion && clientApi <= apiVersion) return
  const clientVersion = String(request.headers[versionHeader] ?? 'unknown')
  throw new BasaltError('server.version-mismatch', {
    message:
      `the CLI is version ${clientVersion} (API ${clientApi}), ` +
      `the running server is version ${serverVersion} (API ${oldestApiVersion} to ${apiVersion})`,
    remedy:
      clientApi > apiVersion
        ? 'Restart the server, so that it is the new version too: basalt server restart (instances go on serving).'
        : `Use the CLI of version ${serverVersion}.`,
    details: { clientVersion, clientApi, serverVersion, serverApi: [oldestApiVersion, apiVersion] },
  })
}
