import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { askEngine, dockerClient, dockerdProgram, startDockerd } from '../src/util/dockerd-process.fixture.ts'
import { exec } from '../src/util/exec.ts'

const commandPatienceMs = 60_000

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
  [dockerdProgram, dockerClient, '/bin/busybox'].every((file) => existsSync(file))
    ? null
    : 'needs dockerd and a static busybox: apt-get install --no-install-recommends docker.io busybox-static'

export async function openDockerEngine(parent: string): Promise<DockerEngine> {
  const folder = mkdtempSync(join(parent, 'basalt-bench-docker-'))
  const key = String(process.pid)
  const network = openNetwork(key)
  const inside = [`--net=/run/netns/${network.namespace}`, 'unshare', '--mount', '--propagation', 'private']
  const engine = await startDockerd({
    folder,
    cgroup: `bench-docker-${key}`,
    prefix: ['nsenter', ...inside],
  }).catch((error: unknown) => {
    network.close()
    throw error
  })
  const { socketPath: socket } = engine
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const words = ['--host', `unix://${socket}`, ...args]
    const options = { timeoutMs: commandPatienceMs, env: { PATH: '/usr/bin:/bin', HOME: folder, ...env } }
    const { stdout, stderr, exitCode } = await exec(dockerClient, words, options)
    if (exitCode !== 0) throw new Error(`docker ${args[0]}: ${stderr}`)
    return stdout.trim()
  }
  async function close(): Promise<void> {
    await engine.close()
    network.close()
  }
  try {
    const image = 'bench:latest'
    await run(['import', importable(folder), image])
    const version = await run(['version', '--format', '{{.Client.Version}}, {{.Server.Version}}'])
    return {
      address: network.address,
      image,
      socket,
      version,
      run,
      call: async <Result>(path: string, body: object) => {
        const question = {
          body: Buffer.from(JSON.stringify(body)),
          headers: { 'content-type': 'application/json' },
        }
        return (await askEngine(socket, 'POST', path, question)) as Result
      },
      processes: () => processesOf(engine.pid, folder),
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
