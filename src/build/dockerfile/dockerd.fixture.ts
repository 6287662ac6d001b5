import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askEngine, dockerdProgram, startDockerd } from '../../util/dockerd-process.fixture.ts'

/**
 * A Docker Engine of a test's own, in a network and a mount namespace of its own: nothing of its packet filter, mounts and
 * bridges outlives them.
 */
export interface Dockerd {
  readonly socketPath: string
  /** Answers of the Engine, as JSON. */
  call(method: string, path: string): Promise<unknown>
  /** A tar becomes an image of one layer. */
  importImage(tar: Buffer, repository: string): Promise<string>
  /** A registry that this Engine alone can reach. */
  startRegistry(options?: RegistryOptions): Promise<{ readonly host: string; close(): Promise<void> }>
  /** Resolves with the digest. */
  push(repository: string, tag: string, login?: object): Promise<string>
  close(): Promise<void>
}

export interface RegistryOptions {
  /** A line of htpasswd: nothing is had without a login. */
  readonly htpasswd?: string
}

/** Why there can be none here, or null. */
export const dockerdMissing = (): string | null =>
  process.getuid?.() !== 0
    ? 'needs root'
    : [dockerdProgram, '/bin/busybox', '/usr/sbin/ip', '/usr/bin/nsenter'].every((file) => existsSync(file))
      ? null
      : 'needs dockerd: apt-get install --no-install-recommends docker.io busybox-static'

export async function openDockerd(): Promise<Dockerd> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-build-dockerd-'))
  const namespace = `basalt-dockerd-${folder.slice(-6).toLowerCase()}`
  execFileSync('ip', ['netns', 'add', namespace])
  execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
  const removeNamespace = () => execFileSync('ip', ['netns', 'del', namespace])
  const engine = await startDockerd({
    folder,
    cgroup: namespace,
    prefix: ['nsenter', `--net=/run/netns/${namespace}`, 'unshare', '--mount', '--propagation', 'private'],
  }).catch((error: unknown) => {
    removeNamespace()
    throw error
  })
  const { socketPath } = engine
  return {
    socketPath,
    call: (method, path) => askEngine(socketPath, method, path),
    async importImage(tar, repository) {
      const path = `/images/create?fromSrc=-&repo=${repository}&tag=latest`
      const answer = await askEngine(socketPath, 'POST', path, { body: tar })
      return /sha256:[0-9a-f]{64}/.exec(JSON.stringify(answer))?.[0] ?? ''
    },
    startRegistry: (options = {}) => startRegistry(folder, namespace, options),
    async push(repository, tag, login = {}) {
      const headers = { 'x-registry-auth': Buffer.from(JSON.stringify(login)).toString('base64') }
      const path = `/images/${repository}/push?tag=${tag}`
      const answer = JSON.stringify(await askEngine(socketPath, 'POST', path, { headers }))
      return /sha256:[0-9a-f]{64}(?=[^"]* size)/.exec(answer)?.[0] ?? answer
    },
    async close() {
      await engine.close()
      removeNamespace()
    },
  }
}

async function startRegistry(folder: string, namespace: string, { htpasswd }: RegistryOptions) {
  writeFileSync(join(folder, 'htpasswd'), htpasswd ?? '')
  const auth =
    htpasswd === undefined ? '' : `auth: { htpasswd: { realm: test, path: ${join(folder, 'htpasswd')} } }\n`
  const host = '127.0.0.1:5000'
  writeFileSync(
    join(folder, 'registry.yml'),
    `version: 0.1\nstorage: { filesystem: { rootdirectory: ${join(folder, 'registry')} } }\nhttp: { addr: "${host}" }\n${auth}`,
  )
  const words = [`--net=/run/netns/${namespace}`, 'docker-registry', 'serve', join(folder, 'registry.yml')]
  const child = spawn('nsenter', words, { stdio: 'ignore' })
  const isUp = () => {
    const { status } = spawnSync('nsenter', [
      `--net=/run/netns/${namespace}`,
      'curl',
      '-sf',
      `http://${host}/v2/`,
    ])
    return status === 0
  }
  for (let round = 0; round < 100 && !isUp(); round++) await sleep(50)
  return {
    host,
    async close() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}
