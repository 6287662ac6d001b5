import type { Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { BasaltError } from '../../../errors.ts'
import type { Authority } from './authorize.ts'
import { createRegistry, type RegistryOptions } from './create-registry.ts'
import { isLoopbackHost } from './loopback.ts'
import type { RegistryParts } from './registry-parts.ts'
import { listenAddress, type RegistrySettings } from './registry-settings.ts'
import { readTlsFiles, tlsVersion } from './tls-files.ts'

/** A registry that answers. */
export interface RegistryListener {
  /** `http://127.0.0.1:5000` */
  readonly url: string
  /** Takes a renewed certificate from its files; one that cannot be used leaves the old one in place. */
  renewTls(): Promise<void>
  /** Ends; requests in flight have a moment. */
  close(): Promise<void>
}

const closePatienceMs = 3_000

/** Rejects with `registry.settings-invalid` or `port.taken`. */
export async function listenRegistry(
  settings: RegistrySettings,
  parts: Omit<RegistryParts, 'authority'>,
  authority: Omit<Authority, 'anonymousPull'>,
  record: RegistryOptions['record'],
): Promise<RegistryListener> {
  const { host, port } = listenAddress(settings)
  const tls = settings.tls === null ? null : await readTlsFiles(settings.tls)
  const anonymousPull = settings.anonymousPull && isLoopbackHost(host)
  const app = createRegistry({ ...parts, authority: { ...authority, anonymousPull }, tls, record })
  await app.listen({ host, port, listenTextResolver: () => '' }).catch((cause: unknown) => {
    throw listenFailed(settings.listen, cause)
  })
  // Node can be asked to take any free port.
  const bound = (app.server.address() as AddressInfo).port
  const name = host.includes(':') ? `[${host}]` : host
  let version = tls?.version
  return {
    url: `${tls === null ? 'http' : 'https'}://${name}:${bound}`,
    async renewTls() {
      if (settings.tls === null || (await tlsVersion(settings.tls)) === version) return
      const renewed = await readTlsFiles(settings.tls)
      ;(app.server as unknown as TlsServer).setSecureContext(renewed)
      version = renewed.version
    },
    async close() {
      const patience = setTimeout(() => app.server.closeAllConnections(), closePatienceMs)
      await app.close()
      clearTimeout(patience)
    },
  }
}

function listenFailed(listen: string, cause: unknown): BasaltError {
  if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE')
    return new BasaltError('port.taken', {
      message: `the registry cannot listen at ${listen}: another program does`,
      remedy: `See which: ss -ltnp. End it, or choose another port: basalt registry enable 127.0.0.1:<port>`,
      details: { listen },
      cause,
    })
  return new BasaltError('registry.settings-invalid', {
    message: `the registry cannot listen at ${listen}: ${(cause as Error).message}`,
    remedy: 'Give an address of this machine: ip address',
    details: { listen },
    cause,
  })
}
