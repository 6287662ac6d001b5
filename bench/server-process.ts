import { readFileSync } from 'node:fs'
import { Connection } from '../src/cli/client/connection.ts'
import { launchServer } from '../src/cli/client/launch-server.ts'
import { RemoteEngine } from '../src/cli/client/remote-engine.ts'
import { resolveHome } from '../src/server/home.ts'
import type { Health } from '../src/server/protocol.ts'
import type { BenchHome } from './bench-home.ts'

/** USER_HZ, in which the kernel counts processor time for user space (proc(5)): 100 on every Linux that runs Node. */
const ticksPerSecond = 100

/** The server of a home, asked over its socket, without a command in between. */
export interface ServerProcess {
  readonly engine: RemoteEngine
  close(): void
}

export function connectServer({ home }: BenchHome): ServerProcess {
  const connection = new Connection(resolveHome({ BASALT_HOME: home }).socketPath)
  return {
    engine: new RemoteEngine(connection, new AbortController().signal),
    close: () => connection.close(),
  }
}

/** Starts the server as a command does, from the same program as the one that ran before; resolves when it answers. */
export const startServer = ({ home }: BenchHome, program: string | undefined): Promise<void> =>
  launchServer(resolveHome({ BASALT_HOME: home }), program)

/** The last word of its command line: options of Node stand before it. */
export const programOf = ({ pid }: Health): string | undefined =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').at(-2)

export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

/** User and system time so far, of all of a process's threads. */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The program's name before it may hold spaces; utime and stime are the 14th and 15th field of all.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
