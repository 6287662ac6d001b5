import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readMounts } from './mountinfo.ts'

/** Debian's own: other versions may stand before them in PATH. */
export const dockerdProgram = '/usr/sbin/dockerd'
export const dockerClient = '/usr/bin/docker'

const startPatienceMs = 60_000
const stopPatienceMs = 30_000
const cgroupMount = '/sys/fs/cgroup'

export interface DockerdSetup {
  /** Of its own: data, sockets, log. Removed when it is closed. */
  readonly folder: string
  /** Below which its containers have their cgroups; a name that nobody else has. */
  readonly cgroup: string
  /** A program that runs it, with its arguments: `unshare --mount …`. */
  readonly prefix?: readonly string[]
  /** Beside those that keep it apart from other Engines: `bridge`, `iptables` … */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
}

/** A Docker Engine that belongs to a test or a bench alone. */
export interface DockerdProcess {
  readonly socketPath: string
  /** Of dockerd itself. */
  readonly pid: number
  start(): Promise<void>
  /** As a restart of Docker does. */
  stop(): Promise<void>
  /** Ends it with all that it holds, and removes every trace of it. */
  close(): Promise<void>
}

/** Resolves when it answers. */
export async function startDockerd(setup: DockerdSetup): Promise<DockerdProcess> {
  const { folder, cgroup } = setup
  const socketPath = join(folder, 'docker.sock')
  writeFileSync(join(folder, 'daemon.json'), '{}')
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    rmSync(join(folder, 'pid'), { force: true })
    child = spawnDaemon(setup, socketPath)
    const deadline = performance.now() + startPatienceMs
    while (!(await askEngine(socketPath, 'GET', '/_ping').then(Boolean, () => false))) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`dockerd does not answer:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`)
      await sleep(50)
    }
  }
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await Promise.race([exited, sleep(stopPatienceMs, undefined, { ref: false })])
  }
  async function close(): Promise<void> {
    await end('SIGTERM')
    await end('SIGKILL')
    // What goes on without it, as by live-restore: its containerd, what holds containers, and what runs in them.
    for (const pid of [...pidsNaming(`${folder}/`), ...pidsIn(cgroup)]) killQuietly(pid)
    await sleep(200)
    const mounts = (await readMounts()).filter(({ path }) => path.startsWith(`${folder}/`))
    for (const { path } of mounts.toReversed()) execFileSync('umount', ['--lazy', path])
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
    get pid() {
      return child?.pid ?? 0
    },
    start,
    stop: () => end('SIGTERM'),
    close,
  }
}

function spawnDaemon(
  { folder, cgroup, prefix = [], settings = {} }: DockerdSetup,
  socketPath: string,
): ChildProcess {
  const log = openSync(join(folder, 'log'), 'a')
  const all = {
    'config-file': join(folder, 'daemon.json'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    host: `unix://${socketPath}`,
    'cgroup-parent': `/${cgroup}`,
    ...settings,
  }
  const words = Object.entries(all).map(([name, value]) => `--${name}=${value}`)
  const [program = dockerdProgram, ...args] = [...prefix, dockerdProgram, ...words]
  const child = spawn(program, args, {
    stdio: ['ignore', log, log],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  closeSync(log)
  return child
}

/** Asks an Engine over its socket; rejects with what it refuses. Resolves with its JSON, else its text, else true. */
export function askEngine(
  socketPath: string,
  method: string,
  path: string,
  {
    body,
    headers = {},
  }: { readonly body?: Buffer; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, method, headers: { host: 'docker', ...headers }, agent: false }
    const asked = request(options, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${path}: ${text}`))
        else resolve(/^[[{]/.test(text) && !text.includes('\n{') ? JSON.parse(text) : text || true)
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Processes that have a text in their command line. */
function pidsNaming(text: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLineOf(pid).includes(text))
}

function pidsIn(cgroup: string): readonly number[] {
  const folders = cgroupFolders(cgroup).flatMap((folder) => [
    folder,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name)),
  ])
  return folders.flatMap((folder) =>
    readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number),
  )
}

/** One in each hierarchy that has it. */
const cgroupFolders = (cgroup: string): readonly string[] =>
  ['.', ...readdirSync(cgroupMount)]
    .map((hierarchy) => join(cgroupMount, hierarchy, cgroup))
    .filter((folder) => existsSync(folder))

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in the meantime.
  }
}

/** A process may still be ending in one: then it stays. */
function removeCgroups(name: string): void {
  for (const folder of cgroupFolders(name)) {
    try {
      execFileSync('find', [folder, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' })
    } catch {
      // See above.
    }
  }
}
