import { lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Finding, Machine } from './probe.ts'

/**
 * Starts `/bin/true` in a container with each runtime, because the version alone does not say whether this
 * kernel's cgroups suit it. crun 1.8 refuses the hybrid cgroup layout unless it does not see its v2 part.
 */
export async function tryRuntimes(machine: Machine): Promise<Finding> {
  if (machine.userId !== 0) return withoutRoot(machine)
  const folder = mkdtempSync(join(tmpdir(), 'basalt-doctor-'))
  try {
    writeBundle(folder)
    const failures: string[] = []
    for (const attempt of attempts) {
      const result = await machine.run(...attempt.command(folder))
      if (result?.exitCode === 0) return { state: 'found', detail: [attempt.name, ...failures].join('; ') }
      const reason = result === null ? 'is not installed' : `failed: ${lastLine(result.stderr)}`
      failures.push(`${attempt.name} ${reason}`)
    }
    return { state: 'missing', detail: failures.join('; ') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Attempt {
  readonly name: string
  command(bundle: string): [file: string, ...args: string[]]
}

const runArguments = (bundle: string): string[] => [
  '--root',
  join(bundle, 'state'),
  'run',
  '--bundle',
  bundle,
  `basalt-doctor-${process.pid}`,
]

const attempts: readonly Attempt[] = [
  { name: 'crun', command: (bundle) => ['crun', ...runArguments(bundle)] },
  {
    name: 'crun without cgroup v2',
    command: (bundle) => [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'umount /sys/fs/cgroup/unified && exec crun "$@"',
      'crun',
      ...runArguments(bundle),
    ],
  },
  { name: 'runc', command: (bundle) => ['runc', ...runArguments(bundle)] },
]

async function withoutRoot(machine: Machine): Promise<Finding> {
  for (const name of ['crun', 'runc'])
    if ((await machine.run(name, '--version')) !== null)
      return {
        state: 'poor',
        detail: `${name} is installed; a trial start needs root`,
        remedy: 'See whether it works: sudo basalt doctor',
      }
  return { state: 'missing', detail: 'neither crun nor runc is installed' }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

/** A container that sees the host's programs, read-only, and nothing else. */
function writeBundle(folder: string): void {
  const root = join(folder, 'rootfs')
  mkdirSync(root)
  const mounts: object[] = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
  ]
  for (const name of ['usr', 'bin', 'lib', 'lib64']) {
    const stats = lstatSync(`/${name}`, { throwIfNoEntry: false })
    if (stats?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name))
    else if (stats?.isDirectory()) {
      mkdirSync(join(root, name))
      mounts.push({ destination: `/${name}`, type: 'bind', source: `/${name}`, options: ['bind', 'ro'] })
    }
  }
  for (const name of ['proc', 'dev']) mkdirSync(join(root, name))
  const config = {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: ['/bin/true'], cwd: '/', env: ['PATH=/usr/bin:/bin'] },
    root: { path: root, readonly: true },
    mounts,
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
}
