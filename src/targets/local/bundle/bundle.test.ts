import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../core/digest.ts'
import { instanceId } from '../../../core/ids.ts'
import type { RunSpec } from '../../../core/system.ts'
import { hostnameOf } from '../../host/instance/name-files.ts'
import { groupSpec } from '../local-target.fixture.ts'
import { type BundleInput, bundleOf } from './bundle.ts'

function bundle(run: Partial<RunSpec> = {}, input: Partial<BundleInput> = {}) {
  const group = groupSpec(digestOf('image'), 'web', run)
  return bundleOf({
    instance: instanceId(group.id, 7),
    group,
    image: {
      entrypoint: ['/bin/node'],
      command: ['main.js'],
      env: ['PATH=/app/bin', 'LEVEL=info'],
      workdir: '',
    },
    rootPath: '/roots/web',
    user: { uid: 1000, gid: 1001, additionalGids: [44], home: '/home/web' },
    networkNamespace: '/run/netns/one',
    cgroupsPath: '/basalt-abcdef/web',
    files: { '/etc/hosts': '/home/hosts' },
    volumes: { data: '/volumes/data' },
    host: { architecture: 'amd64', swapAccounting: true, openFiles: 20_000 },
    seccompFilter: null,
    ...input,
  })
}
const mountAt = (config: ReturnType<typeof bundle>, path: string) =>
  config.mounts.find(({ destination }) => destination === path)

describe('bundleOf', () => {
  it('allows nothing that was not declared', () => {
    const { process, root, linux } = bundle()
    expect(root).toEqual({ path: '/roots/web', readonly: true })
    expect(process.noNewPrivileges).toBe(true)
    expect(Object.values(process.capabilities)).toEqual([[], [], [], [], []])
    expect(linux.namespaces.map(({ type }) => type).toSorted()).toEqual([
      'cgroup',
      'ipc',
      'mount',
      'network',
      'pid',
      'uts',
    ])
    expect(linux.namespaces).toContainEqual({ type: 'network', path: '/run/netns/one' })
    expect(linux.resources.devices).toEqual([{ allow: false, access: 'rwm' }])
    expect(linux.seccomp.defaultAction).toBe('SCMP_ACT_ERRNO')
    expect(linux.maskedPaths).toContain('/proc/kcore')
  })

  it('gives a declared capability in all five sets, and its calls', () => {
    const { process, linux } = bundle({ capabilities: ['CAP_SYS_CHROOT'] })
    expect(new Set(Object.values(process.capabilities).flat())).toEqual(new Set(['CAP_SYS_CHROOT']))
    const calls = (action: string) =>
      linux.seccomp.syscalls.filter((rule) => rule.action === action).flatMap(({ names }) => names)
    expect(calls('SCMP_ACT_ALLOW')).toContain('chroot')
    expect(calls('SCMP_ACT_ERRNO')).not.toContain('chroot')
    expect(calls('SCMP_ACT_ERRNO')).toContain('mount')
  })

  it('runs the command of the service, else what the image says', () => {
    expect(bundle({ command: ['/bin/sh', '-c', 'x'] }).process.args).toEqual(['/bin/sh', '-c', 'x'])
    expect(bundle({ command: null }).process.args).toEqual(['/bin/node', 'main.js'])
    const silent = { entrypoint: [], command: [], env: [], workdir: '' }
    expect(() => bundle({ command: null }, { image: silent })).toThrow(/web has no command/)
  })

  it('lets the service override the environment of the image, each name once', () => {
    const { env } = bundle({ env: { LEVEL: 'debug', EXPR: 'a=b' } }).process
    expect(env).toContain('LEVEL=debug')
    expect(env).toContain('EXPR=a=b')
    expect(env).toContain('PATH=/app/bin')
    expect(env).toContain('HOME=/home/web')
    expect(new Set(env.map((entry) => entry.split('=', 1)[0])).size).toBe(env.length)
  })

  it('turns limits into cgroup values, without swap', () => {
    const { resources } = bundle({ limits: { memoryBytes: 1 << 20, cpus: 0.25, pids: 12 } }).linux
    expect(resources.memory).toEqual({ limit: 1 << 20, swap: 1 << 20 })
    expect(resources.cpu).toEqual({ quota: 25_000, period: 100_000 })
    expect(resources.pids).toEqual({ limit: 12 })
    expect(bundle().linux.resources.memory).toBeUndefined()
  })

  it('mounts writable paths for their user, and /tmp for everybody', () => {
    const config = bundle({
      writable: [
        { path: '/var/cache/web', sizeBytes: 4096 },
        { path: '/tmp', sizeBytes: 8192 },
      ],
    })
    expect(mountAt(config, '/var/cache/web')?.options).toEqual(
      expect.arrayContaining(['size=4096', 'mode=0755', 'uid=1000', 'gid=1001', 'nosuid', 'nodev']),
    )
    expect(mountAt(config, '/tmp')?.options).toEqual(expect.arrayContaining(['size=8192', 'mode=1777']))
  })

  it('mounts parents before children, and files last', () => {
    const config = bundle({
      writable: [
        { path: '/data/cache', sizeBytes: 4096 },
        { path: '/etc', sizeBytes: 4096 },
      ],
      volumes: [{ name: 'data', path: '/data' }],
    })
    const order = config.mounts.map(({ destination }) => destination)
    expect(order.indexOf('/data')).toBeLessThan(order.indexOf('/data/cache'))
    expect(order.indexOf('/etc')).toBeLessThan(order.indexOf('/etc/hosts'))
    expect(mountAt(config, '/data')).toMatchObject({ type: 'bind', source: '/volumes/data' })
    expect(mountAt(config, '/etc/hosts')?.options).toContain('ro')
  })

  it('lets a service size /dev/shm itself', () => {
    const config = bundle({ writable: [{ path: '/dev/shm', sizeBytes: 4096 }] })
    expect(config.mounts.filter(({ destination }) => destination === '/dev/shm')).toHaveLength(1)
    expect(mountAt(config, '/dev/shm')?.options).toContain('size=4096')
  })

  it('hands a compiled filter on, beside the profile', () => {
    const config = bundle({}, { seccompFilter: 'QUJD' })
    expect(config.annotations['run.oci.seccomp_bpf_data']).toBe('QUJD')
    expect(config.linux.seccomp.syscalls.length).toBeGreaterThan(0)
    expect(bundle().annotations).not.toHaveProperty('run.oci.seccomp_bpf_data')
  })

  it('makes a hostname that is a DNS label', () => {
    const longest = instanceId(groupSpec(digestOf('x'), 'a'.repeat(40)).id, 12_345)
    expect(hostnameOf(longest)).toMatch(/^[a-z0-9-]{1,63}$/)
  })
})
