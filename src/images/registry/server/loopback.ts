import { isIP } from 'node:net'

/** Where people expect a registry on their own machine. */
export const defaultListen = '127.0.0.1:5000'

/** Of this machine itself: 127.0.0.0/8 (RFC 1122) and ::1, also as an IPv4 address within IPv6. */
export const isLoopbackAddress = (address: string): boolean => {
  const plain = address.replace(/^::ffff:/i, '')
  return isIP(plain) === 4 ? plain.startsWith('127.') : plain === '::1'
}

/** A Host header, or an address, with or without a port, that names this machine itself. */
export function isLoopbackHost(host: string): boolean {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(host)?.[1]
  const name = bracketed ?? (isIP(host) === 0 ? host.replace(/:\d+$/, '') : host)
  return name.toLowerCase() === 'localhost' || isLoopbackAddress(name)
}
