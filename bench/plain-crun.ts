import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LocalWorld } from '../src/targets/local/local-target.fixture.ts'
import { unifiedHierarchy } from '../src/targets/local/runtime/oci-runtime.ts'
import { readMounts } from '../src/util/mountinfo.ts'
import { firstAnswer } from './first-answer.ts'
import { timeStart, webGroup } from './local-start.ts'

const firstPeerPort = 28_080

/** Another way to start instances, for comparison. */
export interface Peer {
  /** Milliseconds until the last of them has answered its first 200; all are removed afterwards. */
  start(count: number): Promise<number>
  close(): void
}

/**
 * Plain `crun run -d` on the host's network, in one mount namespace made beforehand where it refuses the host's cgroup
 * layout.
 */
export async function openPlainCrun(world: LocalWorld): Promise<Peer> {
  const folder = join(world.home, 'peer')
  // A first start mounts the root that both use.
  await timeStart(world, webGroup(world, 1, 'warm-up'))
  const root = (await readMounts()).find(({ path }) => path.startsWith(join(world.home, 'roots')))?.path ?? ''
  mkdirSync(folder)
  const hybrid = (await readMounts()).some(({ path }) => path === unifiedHierarchy)
  const pinned = join(folder, 'mounts')
  if (hybrid) pinMountNamespace(folder, pinned)
  const [program, ...inside] = [...(hybrid ? ['nsenter', `--mount=${pinned}`] : []), 'crun']
  const state = ['--root', join(folder, 'state')]

  return {
    async start(count) {
      const ports = Array.from({ length: count }, (_, index) => firstPeerPort + index)
      for (const port of ports) writePeerBundle(join(folder, String(port)), root, port)
      const begun = performance.now()
      await Promise.all(
        ports.map(async (port) => {
          const bundle = join(folder, String(port))
          const args = [...inside, ...state, 'run', '-d', '--bundle', bundle, `peer-${port}`]
          const child = spawn(program, args, { stdio: 'ignore' })
          await once(child, 'exit')
          await firstAnswer(`http://127.0.0.1:${port}/passwd`)
        }),
      )
      const took = performance.now() - begun
      for (const port of ports)
        execFileSync(program, [...inside, ...state, 'delete', '--force', `peer-${port}`])
      return took
    },
    close() {
      if (hybrid) execFileSync('umount', [pinned])
      if (hybrid) execFileSync('umount', [folder])
      rmSync(folder, { recursive: true })
    },
  }
}

/** The kernel keeps a namespace's file only on a mount that does not propagate. */
function pinMountNamespace(folder: string, pinned: string): void {
  execFileSync('mount', ['--bind', folder, folder])
  execFileSync('mount', ['--make-private', folder])
  writeFileSync(pinned, '')
  execFileSync('unshare', [`--mount=${pinned}`, 'umount', unifiedHierarchy])
}

/** `crun spec`, with the root, the command and the host's network. */
function writePeerBundle(folder: string, root: string, port: number): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  execFileSync('crun', ['spec'], { cwd: folder })
  const file = join(folder, 'config.json')
  const config = JSON.parse(readFileSync(file, 'utf8')) as CrunSpec
  const args = ['/bin/busybox', 'httpd', '-f', '-p', String(port), '-h', '/etc']
  const namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network')
  writeFileSync(
    file,
    JSON.stringify({
      ...config,
      root: { path: root, readonly: true },
      process: { ...config.process, terminal: false, args },
      linux: { ...config.linux, namespaces },
      // Both need a network namespace or more of the cgroup than a plain start has.
      mounts: config.mounts.filter(({ type }) => type !== 'sysfs' && type !== 'cgroup'),
    }),
  )
}

interface CrunSpec {
  readonly process: object
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] }
  readonly mounts: readonly { readonly type: string }[]
}
