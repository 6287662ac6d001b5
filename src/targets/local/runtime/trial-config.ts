import { existsSync } from 'node:fs'
import type { SeccompConfig } from '../bundle/seccomp.ts'

const hostFolders = ['/usr', '/bin', '/lib', '/lib64'].filter((path) => existsSync(path))

export const trialMountPoints = (): readonly string[] => ['/proc', '/dev', ...hostFolders]

/** The least container that shows whether namespaces, cgroups and mounts work: `true`, from the host's folders. */
export const trialConfig = (rootPath: string, cgroup: string, seccomp?: SeccompConfig): unknown => ({
  ociVersion: '1.0.0',
  process: {
    terminal: false,
    user: { uid: 0, gid: 0 },
    args: ['/bin/true'],
    env: ['PATH=/usr/bin:/bin'],
    cwd: '/',
    noNewPrivileges: true,
  },
  root: { path: rootPath, readonly: true },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
    ...hostFolders.map((path) => ({
      destination: path,
      type: 'bind',
      source: path,
      options: ['rbind', 'ro'],
    })),
  ],
  linux: {
    namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'network'].map((type) => ({ type })),
    cgroupsPath: `/${cgroup}`,
    resources: { pids: { limit: 16 } },
    ...(seccomp === undefined ? {} : { seccomp }),
  },
})
