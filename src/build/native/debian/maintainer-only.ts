/**
 * Packages that serve maintainer scripts, init systems or package management, none of which an image has: as
 * distroless does, they are not taken in because another package depends on them. Naming one in `packages` includes it.
 */
export const maintainerOnly: ReadonlySet<string> = new Set([
  'adduser',
  'cdebconf',
  'debconf',
  'debconf-2.0',
  'debianutils',
  'dpkg',
  'init-system-helpers',
  'insserv',
  'install-info',
  'lsb-base',
  'passwd',
  'systemd-sysusers',
  'systemd-tmpfiles',
  'sysv-rc',
  'sysvinit-utils',
  'ucf',
  'update-inetd',
  'update-motd',
])

/** Single dependencies of that kind: the package needs the other one only while it is configured. */
const onlyToConfigure: Readonly<Record<string, readonly string[]>> = {
  // awk is for its postinst alone.
  'base-files': ['awk'],
  // Its certificates are bundled by the builder, without `openssl rehash`.
  'ca-certificates': ['openssl'],
}

export const isMaintainerOnly = (dependent: string, name: string): boolean =>
  maintainerOnly.has(name) || (onlyToConfigure[dependent]?.includes(name) ?? false)
