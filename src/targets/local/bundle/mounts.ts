import type { WritablePath } from '../../../core/system.ts'
import type { OciMount } from './oci-config.ts'

export interface MountWishes {
  readonly user: { readonly uid: number; readonly gid: number }
  readonly writable: readonly WritablePath[]
  readonly volumes: readonly { readonly path: string; readonly source: string }[]
  /** Files of the host that appear read-only inside. */
  readonly files: Readonly<Record<string, string>>
}

const shmSizeBytes = 64 * 1024 * 1024

/** Every mount of an instance, parents before their children. */
export function mountsOf(wishes: MountWishes): readonly OciMount[] {
  const data = [
    ...wishes.writable.map((path) => writableMount(path, wishes.user)),
    ...wishes.volumes.map(({ path, source }) => bind(path, source, ['rw'])),
  ].toSorted((a, b) => depth(a.destination) - depth(b.destination))
  const files = Object.entries(wishes.files).map(([path, source]) => bind(path, source, ['ro', 'noexec']))
  const replaced = new Set(data.map(({ destination }) => destination))
  return [...systemMounts.filter(({ destination }) => !replaced.has(destination)), ...data, ...files]
}

const writableMount = ({ path, sizeBytes }: WritablePath, user: MountWishes['user']): OciMount => {
  const shared = path === '/tmp' || path === '/var/tmp' || path === '/dev/shm'
  const owner = shared ? ['mode=1777'] : ['mode=0755', `uid=${user.uid}`, `gid=${user.gid}`]
  return {
    destination: path,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'noexec', `size=${sizeBytes}`, ...owner],
  }
}

const bind = (destination: string, source: string, options: readonly string[]): OciMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate', 'nosuid', 'nodev', ...options],
})

const depth = (path: string): number => path.split('/').filter((segment) => segment !== '').length

const systemMounts: readonly OciMount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=64k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmSizeBytes}`],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  // Runtimes of languages read their limits here.
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
  },
]
