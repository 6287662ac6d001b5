import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const daemon = '/usr/sbin/dockerd'
const startPatienceMs = 60_000
const cgroupMount = '/sys/fs/cgroup'

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
    : [daemon, '/bin/busybox', '/usr/sbin/ip', '/usr/bin/nsenter'].every((file) => existsSync(file))
      ? null
      : 'needs dockerd: apt-get install --no-install-recommends docker.io busybox-static'

export async function openDockerd(): Promise<Dockerd> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-build-dockerd-'))
  const key = folder.slice(-6).toLowerCase()
  const namespace = `basalt-dockerd-${key}`
  const socketPath = join(folder, 'docker.sock')
  execFileSync('ip', ['netns', 'add', namespace])
  execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
  const child = spawnDaemon(folder, namespace, socketPath)
  const stop = () => end(child, folder)
  const close = async (): Promise<void> => {
    await stop()
    execFileSync('ip', ['netns', 'del', namespace])
    rmSync(folder, { recursive: true, force: true })
    removeCgroups(namespace)
  }
  const call = (method: string, path: string, body?: Buffer) => ask(socketPath, method, path, body)
  try {
    const deadline = performance.now() + startPatienceMs
    while (!(await call('GET', '/_ping').then(Boolean, () => false))) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`dockerd does not answer:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`)
      await sleep(50)
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    socketPath,
    call: (method, path) => call(method, path),
    async importImage(tar, repository) {
      const answer = await call('POST', `/images/create?fromSrc=-&repo=${repository}&tag=latest`, tar)
      return /sha256:[0-9a-f]{64}/.exec(JSON.stringify(answer))?.[0] ?? ''
    },
    startRegistry: (options = {}) => startRegistry(folder, namespace, options),
    async push(repository, tag, login = {}) {
      const headers = { 'x-registry-auth': Buffer.from(JSON.stringify(login)).toString('base64') }
      const answer = await ask(
        socketPath,
        'POST',
        `/images/${repository}/push?tag=${tag}`,
        undefined,
        headers,
      )
      return /sha256:[0-9a-f]{64}(?=[^"]* size)/.exec(JSON.stringify(answer))?.[0] ?? JSON.stringify(answer)
    },
    close,
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

function spawnDaemon(folder: string, namespace: string, socketPath: string): ChildProcess {
  writeFileSync(join(folder, 'daemon.json'), '{}')
  const log = openSync(join(folder, 'log'), 'a')
  const settings = {
    'config-file': join(folder, 'daemon.json'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    host: `unix://${socketPath}`,
    'cgroup-parent': `/${namespace}`,
  }
  const words = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  const wrapped = [`--net=/run/netns/${namespace}`, 'unshare', '--mount', '--propagation', 'private']
  const child = spawn('nsenter', [...wrapped, daemon, ...words], {
    stdio: ['ignore', log, log],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  closeSync(log)
  return child
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await Promise.race([exited, sleep(20_000, undefined, { ref: false })])
    child.kill('SIGKILL')
  }
  for (const pid of pidsOf(folder)) killQuietly(pid)
  await sleep(100)
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  body?: Buffer,
  extra: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, path, method, headers: { host: 'docker', ...extra }, agent: false },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${path}: ${text}`))
          else resolve(/^[[{]/.test(text) && !text.includes('\n{') ? JSON.parse(text) : text || true)
        })
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Its containerd, and what holds containers. */
const pidsOf = (folder: string): readonly number[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`)
      } catch {
        return false
      }
    })
    .map(Number)

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in the meantime.
  }
}

function removeCgroups(name: string): void {
  for (const hierarchy of ['.', ...readdirSync(cgroupMount)]) {
    const folder = join(cgroupMount, hierarchy, name)
    if (existsSync(folder))
      execFileSync('find', [folder, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
  }
}
