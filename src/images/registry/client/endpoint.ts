import { isIPv4 } from 'node:net'

/** Docker Hub's references and logins have other names than its registry. */
const hub = {
  reference: 'docker.io',
  host: 'registry-1.docker.io',
  login: 'https://index.docker.io/v1/',
} as const

/** Where the registry of a reference is asked. */
export const registryHost = (registry: string): string => (registry === hub.reference ? hub.host : registry)

/** What `docker login` stores credentials under. */
export const loginKey = (registry: string): string => (registry === hub.reference ? hub.login : registry)

/** Only on this machine itself plain HTTP can be read by nobody else. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
}

/** HTTPS, or plain HTTP between two that are both on this machine. */
export const isAllowed = (url: URL, registry: string): boolean =>
  url.protocol === 'https:' ||
  (url.protocol === 'http:' && isLoopback(url.hostname) && isLoopback(new URL(`http://${registry}`).hostname))
