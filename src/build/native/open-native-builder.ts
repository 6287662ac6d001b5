import { join } from 'node:path'
import type { NativeRecipe } from '../../core/system.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { exec } from '../../util/exec.ts'
import type { Builder } from '../builder.ts'
import type { PackageLock } from '../package-lock.ts'
import { debianMirrors } from './debian/debian-mirrors.ts'
import { createDebianPackages } from './debian/debian-packages.ts'
import { aptProxies, createHttpGet, type HttpGet, readAptConfig } from './debian/http-get.ts'
import { createNativeBuilder } from './native-builder.ts'

export interface NativeBuilderSettings {
  readonly store: ContentStore
  /** May be deleted at any time: it costs time only. */
  readonly cacheFolder: string
  /** Shared by all builds of a run; the caller writes it at the end. */
  readonly lock: PackageLock
  /** BASALT_DEBIAN_MIRROR, BASALT_DEBIAN_SECURITY_MIRROR, BASALT_DEBIAN_KEYRING, http_proxy, https_proxy. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const defaultKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** What OCI and Debian call the machines that Node runs on. */
const architectures: Readonly<Record<string, { readonly oci: string; readonly debian: string }>> = {
  x64: { oci: 'amd64', debian: 'amd64' },
  arm64: { oci: 'arm64', debian: 'arm64' },
  arm: { oci: 'arm', debian: 'armhf' },
  ppc64: { oci: 'ppc64le', debian: 'ppc64el' },
  s390x: { oci: 's390x', debian: 's390x' },
  riscv64: { oci: 'riscv64', debian: 'riscv64' },
}

/** The native builder of this machine: its architecture, apt's mirrors and proxies, Debian's keys. One for each run. */
export function openNativeBuilder({
  store,
  cacheFolder,
  lock,
  environment,
}: NativeBuilderSettings): Builder<NativeRecipe> {
  const { oci, debian } = architectures[process.arch] ?? { oci: process.arch, debian: process.arch }
  let httpGet: Promise<HttpGet> | undefined
  let mirrors: ReturnType<typeof debianMirrors> | undefined
  return createNativeBuilder({
    store,
    cacheFolder,
    architecture: oci,
    now: Date.now,
    debian: createDebianPackages({
      store,
      cacheFolder: join(cacheFolder, 'debian'),
      lock,
      architecture: debian,
      exec,
      now: Date.now,
      keyring: environment['BASALT_DEBIAN_KEYRING'] ?? defaultKeyring,
      mirrors: () =>
        (mirrors ??= debianMirrors({
          mirror: environment['BASALT_DEBIAN_MIRROR'],
          securityMirror: environment['BASALT_DEBIAN_SECURITY_MIRROR'],
          aptFolder: '/etc/apt',
        })),
      async httpGet(url, signal) {
        httpGet ??= readAptConfig(exec).then((dump) => createHttpGet(aptProxies(dump, environment)))
        return (await httpGet)(url, signal)
      },
    }),
  })
}
