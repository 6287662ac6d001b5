import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Debian's own: another version of the client may stand before it in PATH. */
const daemon = '/usr/sbin/dockerd'
const client = '/usr/bin/docker'
const startPatienceMs = 60_000

/** A Docker Engine of a test's own that pulls and pushes, and runs nothing: it has no network of its own. */
export interface DockerEngine {
  /** Runs the command line tool; resolves with all that it printed, rejects with the same. */
  docker(...args: readonly string[]): string
  /** Gives a command's standard input. */
  dockerWith(input: Buffer | string, ...args: readonly string[]): string
  close(): Promise<void>
}

/** Why there can be no engine here, or null. */
export const dockerMissing = (): string | null =>
  process.getuid?.() === 0 && [daemon, client].every((file) => existsSync(file))
    ? null
    : 'needs root and dockerd: apt-get install --no-install-recommends docker.io'

export async function openDockerEngine(): Promise<DockerEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-docker-'))
  const socket = join(folder, 'docker.sock')
  const child = spawnDaemon(folder, socket)
  const dockerWith = (input: Buffer | string, ...args: readonly string[]): string =>
    execFileSync(client, ['--host', `unix://${socket}`, '--config', join(folder, 'client'), ...args], {
      encoding: 'utf8',
      input,
      stdio: 'pipe',
      timeout: 300_000,
      maxBuffer: 2 ** 30,
    })
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await Promise.race([once(child, 'exit'), sleep(20_000, undefined, { ref: false })])
      child.kill('SIGKILL')
    }
    // Its containerd, where it was killed before it could end it.
    for (const pid of pidsNaming(folder)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await untilAnswers(child, () => dockerWith('', 'version'), folder)
    return { docker: (...args) => dockerWith('', ...args), dockerWith, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** In a mount namespace of its own, so that no mount is left. */
function spawnDaemon(folder: string, socket: string): ChildProcess {
  mkdirSync(join(folder, 'client'))
  writeFileSync(join(folder, 'daemon.json'), '{}')
  const log = openSync(join(folder, 'log'), 'a')
  const options = {
    'config-file': join(folder, 'daemon.json'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    host: `unix://${socket}`,
    bridge: 'none',
    iptables: 'false',
    'ip-forward': 'false',
    'ip-masq': 'false',
  }
  const words = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const child = spawn('unshare', ['--mount', '--propagation', 'private', daemon, ...words], {
    stdio: ['ignore', log, log],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  closeSync(log)
  return child
}

/** Processes that have a text in their command line. */
const pidsNaming = (text: string): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLineOf(pid).includes(text))

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}

async function untilAnswers(child: ChildProcess, ask: () => string, folder: string): Promise<void> {
  const deadline = performance.now() + startPatienceMs
  for (;;) {
    try {
      return void ask()
    } catch {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`dockerd does not answer:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`)
      await sleep(100)
    }
  }
}
