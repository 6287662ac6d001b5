import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { get } from 'node:http'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { defaultGroup } from '../../server/socket.ts'
import { dockerSocket } from '../../util/docker-socket.ts'
import { exec } from '../../util/exec.ts'
import { withSystemPaths } from '../../util/system-paths.ts'
import { version } from '../../util/version.ts'
import { groupOf } from '../client/connect.ts'
import type { Context } from '../context.ts'
import type { EngineAnswer, Machine } from './probe.ts'

const probeTimeoutMs = 10_000

/** The machine that we are on. */
export async function thisMachine(context: Context): Promise<Machine> {
  const env = withSystemPaths(process.env) as Record<string, string>
  return {
    run: (file, ...args) => exec(file, args, { timeoutMs: probeTimeoutMs, env }).catch(() => null),
    tryRuntimes: () => context.tryRuntimes(env),
    read: (path) => orElse('', () => readFileSync(path, 'utf8')),
    list: (path) => orElse([], () => readdirSync(path)),
    freeBytes: (path) => {
      const { bavail, bsize } = statfsSync(nearestExisting(path))
      return bavail * bsize
    },
    docker: (path) => askDocker(context.environment, path),
    userId: context.userId,
    nodeVersion: process.versions.node,
    cliVersion: version,
    homeFolder: context.home.folder,
    // The server may have been started with another setting than ours.
    groupName: groupOf(context.home) ?? (context.environment['BASALT_GROUP'] || defaultGroup),
    // A server that we may not ask is as good as none to whoever asks here; the group's probe says why.
    server: await context.server().catch(() => null),
  }
}

function askDocker(environment: Context['environment'], path: string): Promise<EngineAnswer> {
  let socket: string
  try {
    socket = dockerSocket(environment)
  } catch (error) {
    return Promise.resolve({ kind: 'failed', socket: '', why: (error as Error).message })
  }
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      resolve({ kind: 'failed', socket, why: error.code ?? error.message })
    const asked = get({ socketPath: socket, path, agent: false, timeout: probeTimeoutMs }, (answer) => {
      text(answer).then((body) => resolve({ kind: 'answer', socket, body: JSON.parse(body) }), fail)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', fail)
  })
}

const nearestExisting = (path: string): string =>
  existsSync(path) || path === dirname(path) ? path : nearestExisting(dirname(path))

function orElse<Value>(fallback: Value, read: () => Value): Value {
  try {
    return read()
  } catch {
    return fallback
  }
}
