import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exec } from '../src/util/exec.ts'

/** Debian's own: another version of the client may stand before it in PATH. */
const daemon = '/usr/sbin/dockerd'
const client = '/usr/bin/docker'
const startPatienceMs = 60_000
const commandPatienceMs = 60_000
const cgroupMount = '/sys/fs/cgroup'

/**
 * A Docker Engine of this run's own, in a network and a mount namespace of its own: Docker sets the machine's
 * packet filter up to drop what it does not know, and nothing of that, nor of its mounts and bridges, outlives them.
 */
export interface DockerEngine {
  /** Where published ports answer. */
  readonly address: string
  readonly image: string
  readonly socket: string
  /** The command line tool's version and the engine's. */
  readonly version: string
  /** Runs the command line tool; resolves with what it printed. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>
  /** Asks the engine over its socket. */
  call<Result>(path: string, body: object): Promise<Result>
  /** dockerd and its containerd; and what stands beside the containers: shims and port proxies. */
  processes(): { readonly fixed: readonly number[]; readonly beside: readonly number[] }
  close(): Promise<void>
}

/** Why there can be no engine here, or null. */
export const dockerMissing = (): string | null =>
  [daemon, client, '/bin/busybox'].every((file) => existsSync(file))
    ? null
    : 'needs dockerd and a static busybox: apt-get install --no-install-recommends docker.io busybox-static'

export async function openDockerEngine(parent: string): Promise<DockerEngine> {
  const folder = mkdtempSync(join(parent, 'basalt-bench-docker-'))
  const key = String(process.pid)
  const network = openNetwork(key)
  const child = spawnDaemon(folder, network.namespace, key)
  const socket = join(folder, 'docker.sock')
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const words = ['--host', `unix://${socket}`, ...args]
    const options = { timeoutMs: commandPatienceMs, env: { PATH: '/usr/bin:/bin', HOME: folder, ...env } }
    const { stdout, stderr, exitCode } = await exec(client, words, options)
    if (exitCode !== 0) throw new Error(`docker ${args[0]}: ${stderr}`)
    return stdout.trim()
  }
  async function close(): Promise<void> {
    await endDaemon(child, folder)
    network.close()
    removeCgroups(key)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await untilAnswers(child, socket, folder)
    const image = 'bench:latest'
    await run(['import', importable(folder), image])
    const version = await run(['version', '--format', '{{.Client.Version}}, {{.Server.Version}}'])
    return {
      address: network.address,
      image,
      socket,
      version,
      run,
      call: (path, body) => call(socket, path, body),
      processes: () => processesOf(child.pid ?? 0, folder),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A network namespace that the host reaches over one pair of links. */
function openNetwork(key: string) {
  const namespace = `bench-docker-${key}`
  const link = `bd${key}`
  const ip = (...args: readonly string[]) => execFileSync('ip', args)
  const close = (): void => {
    ip('netns', 'del', namespace)
  }
  ip('netns', 'add', namespace)
  try {
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    ip('addr', 'add', '198.18.77.1/30', 'dev', link)
    ip('link', 'set', link, 'up')
    ip('-n', namespace, 'addr', 'add', '198.18.77.2/30', 'dev', 'eth0')
    ip('-n', namespace, 'link', 'set', 'eth0', 'up')
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
    ip('-n', namespace, 'route', 'add', 'default', 'via', '198.18.77.1')
  } catch (error) {
    close()
    throw error
  }
  return { namespace, address: '198.18.77.2', close }
}

function spawnDaemon(folder: string, namespace: string, key: string): ChildProcess {
  writeFileSync(join(folder, 'daemon.json'), '{}')
  const log = openSync(join(folder, 'log'), 'a')
  const options = {
    'config-file': join(folder, 'daemon.json'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    host: `unix://${join(folder, 'docker.sock')}`,
    'cgroup-parent': `/bench-docker-${key}`,
  }
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${namespace}`, 'unshare', '--mount', '--propagation', 'private', daemon, ...args],
    { stdio: ['ignore', log, log], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
  )
  closeSync(log)
  return child
}

async function untilAnswers(child: ChildProcess, socket: string, folder: string): Promise<void> {
  const deadline = performance.now() + startPatienceMs
  while (!(await call(socket, '/_ping', null).then(Boolean, () => false))) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`dockerd does not answer:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`)
    await sleep(100)
  }
}

/** dockerd ends its containers and its containerd; whatever is left of them is killed. */
async function endDaemon(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM')
    await Promise.race([once(child, 'exit'), sleep(20_000, undefined, { ref: false })])
    child.kill('SIGKILL')
  }
  for (const pid of pidsWith((commandLine) => commandLine.includes(folder))) process.kill(pid, 'SIGKILL')
  await sleep(200)
}

function removeCgroups(key: string): void {
  for (const hierarchy of ['.', ...readdirSync(cgroupMount)]) {
    const folder = join(cgroupMount, hierarchy, `bench-docker-${key}`)
    if (existsSync(folder)) execFileSync('rmdir', [folder])
  }
}

/** A tar of busybox and what it serves. */
function importable(folder: string): string {
  const root = join(folder, 'root')
  for (const name of ['bin', 'etc']) mkdirSync(join(root, name), { recursive: true })
  cpSync('/bin/busybox', join(root, 'bin/busybox'))
  chmodSync(join(root, 'bin/busybox'), 0o755)
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  execFileSync('tar', ['-C', root, '-cf', join(folder, 'root.tar'), '.'])
  return join(folder, 'root.tar')
}

/** Null asks by GET. */
function call<Result>(socketPath: string, path: string, body: object | null): Promise<Result> {
  const method = body === null ? 'GET' : 'POST'
  const headers = { host: 'docker', 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${path}: ${text}`))
        else resolve((text.startsWith('{') ? JSON.parse(text) : text || true) as Result)
      })
    })
    asked.on('error', reject)
    asked.end(body === null ? undefined : JSON.stringify(body))
  })
}

function processesOf(daemonPid: number, folder: string) {
  const ours = (program: string) =>
    pidsWith((line, pid) => line.includes(program) && (line.includes(folder) || parentOf(pid) === daemonPid))
  const beside = [...ours('containerd-shim'), ...ours('docker-proxy')]
  const fixed = [daemonPid, ...ours('containerd').filter((pid) => !beside.includes(pid) && pid !== daemonPid)]
  return { fixed, beside }
}

function pidsWith(test: (commandLine: string, pid: number) => boolean): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .map(Number)
    .filter((pid) => test(read(`/proc/${pid}/cmdline`), pid))
}

const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1])

/** A process may end while it is being looked at. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
