import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { BasaltError } from '../../../errors.ts'
import type { RegistrySettings } from './registry-settings.ts'

export interface TlsContent {
  readonly cert: Buffer
  readonly key: Buffer
  /** Changes with the files. */
  readonly version: string
}

/** Reads a certificate and its key. Rejects with `registry.settings-invalid`, also when they do not fit each other. */
export async function readTlsFiles(tls: NonNullable<RegistrySettings['tls']>): Promise<TlsContent> {
  try {
    const version = await tlsVersion(tls)
    const [cert, key] = await Promise.all([readFile(tls.certificate), readFile(tls.key)])
    createSecureContext({ cert, key })
    return { cert, key, version }
  } catch (cause) {
    throw new BasaltError('registry.settings-invalid', {
      message: `the certificate ${tls.certificate} with the key ${tls.key} cannot be used: ${(cause as Error).message}`,
      remedy: 'Give the files of a certificate (with its chain) and of its key, both in PEM.',
      details: { ...tls },
      cause,
    })
  }
}

export async function tlsVersion(tls: NonNullable<RegistrySettings['tls']>): Promise<string> {
  const files = await Promise.all([stat(tls.certificate), stat(tls.key)])
  return files.map(({ mtimeMs, size, ino }) => `${mtimeMs}/${size}/${ino}`).join(' ')
}
