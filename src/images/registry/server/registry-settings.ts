import { readFile, rm } from 'node:fs/promises'
import { isIP } from 'node:net'
import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { defaultListen, isLoopbackHost } from './loopback.ts'

/** How the registry is served; kept in a file of the state folder, so it is served again after a restart. */
export interface RegistrySettings {
  /** `127.0.0.1:5000`, `[::]:5000` */
  readonly listen: string
  /** Files in PEM; null: plain HTTP, which is for loopback addresses only. */
  readonly tls: { readonly certificate: string; readonly key: string } | null
  /** Clients on this machine may pull images without a token, where it listens to this machine only. */
  readonly anonymousPull: boolean
}

const fileSchema = z.strictObject({
  schema: z.literal('basalt.registry-settings/v1'),
  listen: z.string(),
  tls: z.strictObject({ certificate: z.string(), key: z.string() }).nullable(),
  anonymousPull: z.boolean(),
})

/** Null: the registry is not served. Rejects with `registry.settings-invalid`. */
export async function readSettings(path: string): Promise<RegistrySettings | null> {
  try {
    const { schema: _schema, ...settings } = fileSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    return settings
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new BasaltError('registry.settings-invalid', {
      message: `${path} does not hold the settings of a registry: ${(cause as Error).message}`,
      remedy: 'Set them again: basalt registry enable',
      details: { path },
      cause,
    })
  }
}

/** Null removes them. */
export async function writeSettings(path: string, settings: RegistrySettings | null): Promise<void> {
  if (settings === null) return rm(path, { force: true })
  const document = { schema: 'basalt.registry-settings/v1', ...settings }
  await writeFileAtomic(path, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 })
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/**
 * Where to listen. Throws `registry.settings-invalid` when it is no address, and when images and tokens would go over a
 * network that others can read.
 */
export function listenAddress({ listen, tls }: Pick<RegistrySettings, 'listen' | 'tls'>): ListenAddress {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(listen) ?? []
  const host = bracketed ?? plain ?? ''
  const port = Number(digits)
  if ((isIP(host) === 0 && host !== 'localhost') || digits === '' || port > 65_535)
    throw new BasaltError('registry.settings-invalid', {
      message: `"${listen}" is no address to listen at`,
      remedy: `Give an IP address and a port, such as ${defaultListen}, 0.0.0.0:5000 or [::]:5000.`,
      details: { listen },
    })
  if (tls === null && !isLoopbackHost(host))
    throw new BasaltError('registry.settings-invalid', {
      message: `at ${listen} others could read images and tokens: plain HTTP is served on loopback addresses only`,
      remedy: `Give a certificate: basalt registry enable ${listen} --cert <file> --key <file>; or listen at ${defaultListen}.`,
      details: { listen },
    })
  return { host, port }
}
