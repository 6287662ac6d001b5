import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { homeKey } from '../src/targets/host/network/network-plan.ts'
import { localPaths, runFolderOf } from '../src/targets/local/local-paths.ts'
import { exec } from '../src/util/exec.ts'
import { readMounts } from '../src/util/mountinfo.ts'

const cgroupMount = '/sys/fs/cgroup'

/** What one Basalt home has on this machine outside of its folder, each list sorted, for `toEqual`. */
export interface MachineTraces {
  /** `pid command line` of whatever runs in the home's cgroups, its folder, or with its name. */
  readonly processes: readonly string[]
  readonly namespaces: readonly string[]
  readonly bridges: readonly string[]
  readonly tables: readonly string[]
  /** Below the home, and the home's folder below /run. */
  readonly mounts: readonly string[]
  readonly cgroups: readonly string[]
  readonly folders: readonly string[]
}

export const noTraces: MachineTraces = {
  processes: [],
  namespaces: [],
  bridges: [],
  tables: [],
  mounts: [],
  cgroups: [],
  folders: [],
}

/** Read from the kernel, never from what Basalt says of itself. */
export async function machineTraces(home: string): Promise<MachineTraces> {
  const names = await bridgesOf(home)
  const name = names[0] ?? `basalt-${homeKey(home)}`
  const tables = (await exec('nft', ['list', 'tables'])).stdout.split('\n')
  const run = runFolderOf(name.slice('basalt-'.length))
  return {
    processes: processesOf(home, name),
    namespaces: entries('/run/netns').filter((entry) => entry.startsWith(`${name}-`)),
    bridges: names.toSorted(),
    tables: tables.filter((line) => line.includes(name)).toSorted(),
    mounts: (await readMounts())
      .map(({ path }) => path)
      .filter((path) => path === run || path.startsWith(`${home}/`))
      .toSorted(),
    cgroups: ['.', ...entries(cgroupMount)]
      .flatMap((hierarchy) => instanceCgroups(join(cgroupMount, hierarchy, name)))
      .toSorted(),
    folders: [run, home].filter((folder) => existsSync(folder)),
  }
}

/** Names of the instances that a home has on this machine. */
export async function instanceNames(home: string): Promise<readonly string[]> {
  const [name = `basalt-${homeKey(home)}`] = await bridgesOf(home)
  return entries(localPaths(home, name.slice('basalt-'.length)).instances)
}

async function bridgesOf(home: string): Promise<readonly string[]> {
  const { stdout } = await exec('ip', ['-json', 'link', 'show', 'type', 'bridge'])
  const bridges = JSON.parse(stdout) as readonly { readonly ifname?: string; readonly ifalias?: string }[]
  return bridges.filter(({ ifalias }) => ifalias === home).map(({ ifname = '' }) => ifname)
}

/**
 * The same without the pool of namespaces, which a server fills and empties by itself: without the namespaces, and
 * without the `ip` processes that work on them.
 */
export async function tracesBesidePool(home: string): Promise<Omit<MachineTraces, 'namespaces'>> {
  const { namespaces: _, processes, ...traces } = await machineTraces(home)
  return { processes: processes.filter((line) => !poolWork.test(line)), ...traces }
}

const poolWork = /^\d+ (?:\S*\/)?ip (?:-n \S+ |-force )?-batch -$/

/** Ends and removes all of it by force, for a test that has failed: the next one must not meet it. */
export async function sweepTraces(home: string): Promise<void> {
  const traces = await machineTraces(home)
  for (const line of traces.processes) kill(Number(line.split(' ')[0]))
  await new Promise((resolve) => setTimeout(resolve, 300))
  for (const path of traces.mounts.toReversed()) await exec('umount', ['--lazy', path])
  for (const namespace of traces.namespaces) await exec('ip', ['netns', 'del', namespace])
  for (const bridge of traces.bridges) await exec('ip', ['link', 'del', bridge])
  for (const table of traces.tables) await exec('nft', ['delete', ...table.split(' ')])
  for (const cgroup of traces.cgroups.toReversed()) await exec('rmdir', [cgroup])
  for (const folder of traces.folders) rmSync(folder, { recursive: true, force: true })
}

function processesOf(home: string, name: string): readonly string[] {
  return entries('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => {
      const commandLine = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
      const ours =
        read(`/proc/${pid}/environ`).split('\0').includes(`BASALT_HOME=${home}`) ||
        commandLine.includes(`${home}/`) ||
        read(`/proc/${pid}/cgroup`).includes(`/${name}/`) ||
        linkTarget(`/proc/${pid}/cwd`).startsWith(home)
      return ours ? [`${pid} ${commandLine}`] : []
    })
    .toSorted()
}

/** A cgroup and those below it. */
function instanceCgroups(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [folder, ...below.flatMap((entry) => instanceCgroups(join(folder, entry.name)))]
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}

/** A process may end while it is being looked at. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Ended in the meantime.
  }
}
