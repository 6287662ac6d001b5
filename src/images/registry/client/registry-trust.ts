import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'

/** Whose certificates a registry may show, and the one that we show it. All in PEM. */
export interface RegistryTrust {
  readonly authorities: readonly string[]
  readonly certificate: string | null
  readonly key: string | null
}

/** Debian's, then Red Hat's: administrators add their own authorities there. */
const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'] as const

/**
 * The authorities of Mozilla and of this system, and what Docker's `certs.d/<host>[:<port>]/` has for this registry:
 * `*.crt` are authorities, a `*.cert` with its `*.key` is our own certificate. Files that are missing are no error.
 */
export async function registryTrust(
  registry: string,
  certificatesFolder: string,
  environment: NodeJS.ProcessEnv,
): Promise<RegistryTrust> {
  const folder = join(certificatesFolder, registry)
  const names = (await readdir(folder).catch((): string[] => [])).sort()
  const named = (suffix: string) => names.filter((name) => name.endsWith(suffix))
  const own = named('.cert').find((name) => names.includes(name.replace(/\.cert$/, '.key')))
  const bundles = [environment['SSL_CERT_FILE'] ?? '', ...systemBundles].filter((path) => path !== '')
  const [system, added] = await Promise.all([
    Promise.all(bundles.map(readIfPresent)),
    Promise.all(named('.crt').map((name) => readFile(join(folder, name), 'utf8'))),
  ])
  return {
    authorities: [...rootCertificates, ...system.filter((text) => text !== ''), ...added],
    certificate: own === undefined ? null : await readFile(join(folder, own), 'utf8'),
    key: own === undefined ? null : await readFile(join(folder, own.replace(/\.cert$/, '.key')), 'utf8'),
  }
}

const readIfPresent = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
