import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename } from 'node:path'

export interface PortOwner {
  readonly pid: number
  /** As a person would name it: `nginx`, `node server.js`. */
  readonly program: string
}

/** The program that listens on a TCP port of this network namespace; null when none is found. */
export async function findPortOwner(port: number): Promise<PortOwner | null> {
  const sockets = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const inode of listeningInodes(await readFile(table, 'utf8').catch(() => ''), port))
      sockets.add(`socket:[${inode}]`)
  if (sockets.size === 0) return null

  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    if (!(await holdsOneOf(`/proc/${entry}/fd`, sockets))) continue
    return { pid: Number(entry), program: await programOf(entry) }
  }
  return null
}

const interpreters = /^(?:node|python|ruby|perl|java|php|sh|bash)[\d.]*$/

/** By its command line: the name that the kernel keeps is that of a thread, which for Node is `MainThread`. */
async function programOf(pid: string): Promise<string> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const [file = '', ...args] = commandLine.split('\0')
  const script = args.find((arg) => arg !== '' && !arg.startsWith('-'))
  // Some write a title into their command line: `nginx: master process /usr/sbin/nginx`.
  const name = basename(file.split(' ', 1)[0]?.replace(/:$/, '') ?? '')
  return script !== undefined && interpreters.test(name) ? `${name} ${basename(script)}` : name
}

/** Lines of /proc/net/tcp (proc(5)): local address and port in hex, state `0A` is LISTEN, the inode is field 10. */
export function listeningInodes(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === '0A')
    .map((fields) => fields[9] ?? '')
}

async function holdsOneOf(folder: string, sockets: ReadonlySet<string>): Promise<boolean> {
  // Processes end while one looks.
  for (const descriptor of await readdir(folder).catch(() => []))
    if (sockets.has(await readlink(`${folder}/${descriptor}`).catch(() => ''))) return true
  return false
}
