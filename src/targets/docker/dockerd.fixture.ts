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
import { exec } from '../../util/exec.ts'
import { readMounts } from '../../util/mountinfo.ts'
import { openDockerEngine } from './engine/dockerode-engine.ts'

/** Debian's own: other versions may stand before them in PATH. */
const daemon = '/usr/sbin/dockerd'
const client = '/usr/bin/docker'
const startPatienceMs = 60_000
const cgroupMount = '/sys/fs/cgroup'

/** A Docker Engine of a test's own: with data, sockets and cgroups of its own, without a bridge of its own. */
export interface Dockerd {
  readonly socketPath: string
  /** Runs the command line tool; resolves with the lines that it printed. */
  run(...args: readonly string[]): Promise<readonly string[]>
  /** As a restart of Docker does: containers end with it, unless they are to go on. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

export interface DockerdOptions {
  /** A program that runs it, with its arguments: `nsenter --net=…`. */
  readonly prefix?: readonly string[]
  /** Whether it sets the packet filter of its network namespace up; left alone unless told. */
  readonly iptables?: boolean
  /** Containers go on while it is stopped. */
  readonly liveRestore?: boolean
}

/** Why there can be none here, or null. */
export const dockerdMissing = (): string | null =>
  process.getuid?.() !== 0
    ? 'needs root'
    : [daemon, client, '/bin/busybox'].every((file) => existsSync(file))
      ? null
      : 'needs dockerd: apt-get install --no-install-recommends docker.io busybox-static'

export async function openDockerd(options: DockerdOptions = {}): Promise<Dockerd> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-dockerd-'))
  const cgroup = `basalt-dockerd-${folder.slice(-6)}`
  const socketPath = join(folder, 'docker.sock')
  writeFileSync(join(folder, 'daemon.json'), '{}')
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    rmSync(join(folder, 'pid'), { force: true })
    child = spawnDaemon(folder, cgroup, socketPath, options)
    const deadline = performance.now() + startPatienceMs
    while (!(await answers(socketPath))) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`dockerd does not answer:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`)
      await sleep(50)
    }
  }
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await Promise.race([exited, sleep(30_000, undefined, { ref: false })])
  }
  async function close(): Promise<void> {
    await end('SIGTERM')
    await end('SIGKILL')
    for (const pid of pidsOf(folder)) killQuietly(pid)
    await sleep(200)
    for (const { path } of (await readMounts())
      .filter(({ path }) => path.startsWith(`${folder}/`))
      .toReversed())
      execFileSync('umount', ['--lazy', path])
    rmSync(folder, { recursive: true, force: true })
    removeCgroups(cgroup)
  }
  try {
    await start()
  } catch (error) {
    await close()
    throw error
  }
  return {
    socketPath,
    async run(...args) {
      const { stdout, stderr, exitCode } = await exec(client, ['--host', `unix://${socketPath}`, ...args])
      if (exitCode !== 0) throw new Error(`docker ${args[0]}: ${stderr}`)
      return stdout.split('\n').filter((line) => line !== '')
    },
    start,
    stop: () => end('SIGTERM'),
    close,
  }
}

function spawnDaemon(
  folder: string,
  cgroup: string,
  socketPath: string,
  { prefix = [], iptables = false, liveRestore = false }: DockerdOptions,
): ChildProcess {
  mkdirSync(folder, { recursive: true })
  const log = openSync(join(folder, 'log'), 'a')
  const settings = {
    'config-file': join(folder, 'daemon.json'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    host: `unix://${socketPath}`,
    'cgroup-parent': `/${cgroup}`,
    bridge: 'none',
    'ip-forward': false,
    iptables,
    ip6tables: false,
    'shutdown-timeout': 5,
    'live-restore': liveRestore,
  }
  const words = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  const [program = daemon, ...args] = [...prefix, daemon, ...words]
  const child = spawn(program, args, {
    stdio: ['ignore', log, log],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  closeSync(log)
  return child
}

async function answers(socketPath: string): Promise<boolean> {
  const engine = await openDockerEngine(socketPath)
  return engine.check().then(
    () => true,
    () => false,
  )
}

/** Its containerd, and what holds containers. */
const pidsOf = (folder: string): readonly number[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
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
    if (!existsSync(folder)) continue
    for (const below of readdirSync(folder, { withFileTypes: true }))
      if (below.isDirectory()) rmdirQuietly(join(folder, below.name))
    rmdirQuietly(folder)
  }
}

function rmdirQuietly(folder: string): void {
  try {
    execFileSync('rmdir', [folder], { stdio: 'ignore' })
  } catch {
    // A process is still ending in it.
  }
}
