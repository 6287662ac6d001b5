import { readFileSync, writeFileSync } from 'node:fs'
import type { InstanceId } from '../../../core/ids.ts'

/** Where the files of an instance lie on the host. */
export interface NameFiles {
  readonly hosts: string
  readonly hostname: string
  readonly resolvConf: string
}

export interface InstanceNames {
  readonly hostname: string
  readonly address: string
  /** Service name to the address at which the router answers for it. */
  readonly needs: Readonly<Record<string, string>>
}

/** Writes /etc/hosts, /etc/hostname and /etc/resolv.conf of an instance: needs resolve to this generation only. */
export function writeNameFiles(paths: NameFiles, names: InstanceNames): void {
  writeFileSync(paths.hosts, hostsFile(names), { mode: 0o644 })
  writeFileSync(paths.hostname, `${names.hostname}\n`, { mode: 0o644 })
  writeFileSync(paths.resolvConf, resolvConf(), { mode: 0o644 })
}

export const hostsFile = ({ hostname, address, needs }: InstanceNames): string =>
  [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    `${address}\t${hostname}`,
    ...Object.entries(needs).map(([name, target]) => `${target}\t${name}`),
    '',
  ].join('\n')

const hostResolvConf = '/etc/resolv.conf'
/** Where systemd-resolved keeps the servers behind its loopback stub. */
const upstreamResolvConf = '/run/systemd/resolve/resolv.conf'

function resolvConf(): string {
  const own = withoutLoopback(textOf(hostResolvConf) ?? '')
  return own.includes('nameserver') ? own : withoutLoopback(textOf(upstreamResolvConf) ?? own)
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** A resolver on the host's loopback cannot be reached from another network namespace. */
export const withoutLoopback = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^\s*nameserver\s+(127\.|::1\b)/.test(line))
    .join('\n')

/** An instance's id as one DNS label. */
export const hostnameOf = (instance: InstanceId): string => instance.replaceAll('.', '-').slice(-63)
