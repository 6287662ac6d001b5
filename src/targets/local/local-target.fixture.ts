import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestOf } from '../../core/digest.ts'
import type { GroupSpec } from '../../core/generation.ts'
import { environmentId, type GroupId, groupId, type ImageDigest, type InstanceId } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import type { HealthCheck, RunSpec } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import { storeImage, tarOf } from '../../images/image.fixture.ts'
import { createImageRoots } from '../../images/image-roots.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import type { Router } from '../../router/router.ts'
import { exec } from '../../util/exec.ts'
import { readMounts } from '../../util/mountinfo.ts'
import { numbersFile } from '../host/home-paths.ts'
import { createInstanceNumbers } from '../host/instance/instance-numbers.ts'
import { type HomeNetwork, openHomeNetwork } from '../host/network/home-network.ts'
import type { GroupWish } from '../target.contract.ts'
import { type LocalPaths, localPaths } from './local-paths.ts'
import { createLocalTarget, type LocalTarget } from './local-target.ts'
import { createLocalNetwork } from './network/local-network.ts'
import { chooseRuntime } from './runtime/choose-runtime.ts'
import { ociRuntime } from './runtime/oci-runtime.ts'

export const op = (timeoutMs = 30_000): Op => ({
  signal: AbortSignal.timeout(timeoutMs),
  deadline: Date.now() + timeoutMs,
})

export const staging = environmentId('shop', 'staging')

const tools = ['ip', 'nft', 'flock', 'unshare', 'mkfs.erofs', 'haproxy', 'busybox']
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Why the tests cannot run here, or null. */
export function missing(): string | null {
  if (process.getuid?.() !== 0) return 'needs root'
  const has = (tool: string) => folders.some((folder) => existsSync(join(folder, tool)))
  const absent = tools.filter((tool) => !has(tool))
  if (!has('crun') && !has('runc')) absent.push('crun')
  return absent.length === 0 ? null : `not installed: ${absent.join(', ')}`
}

const serve = [
  '#!/bin/sh',
  'read -r method path rest',
  'while read -r header; do case "$header" in ?|"") break;; esac; done',
  'code=200; [ -n "$STATUS" ] && code=$STATUS; [ -n "$DELAY" ] && sleep "$DELAY"',
  'printf "HTTP/1.1 %s X\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s" "$code" "${#VERSION}" "$VERSION"',
].join('\n')

/** Answers every GET with $VERSION; ends on SIGTERM at once. */
export const httpServer = [
  '/bin/sh',
  '-c',
  'echo serving $VERSION; trap "exit 0" TERM; nc -ll -p 8080 -e /bin/serve & wait',
]

const applets = [
  'sh',
  'nc',
  'sleep',
  'cat',
  'echo',
  'touch',
  'ls',
  'id',
  'grep',
  'mkdir',
  'chmod',
  'tail',
  'head',
  'stat',
  'mount',
  'unshare',
  'kill',
  'ps',
  'df',
  'env',
  'hostname',
]

/** One home with real namespaces, containers and roots. */
export interface LocalWorld {
  readonly home: string
  readonly target: LocalTarget
  readonly image: ImageDigest
  readonly bridge: string
  readonly paths: LocalPaths
  /** The same image with a text of its own in /etc/image. */
  anotherImage(text: string): Promise<ImageDigest>
  /** Another target of the same home, as after a restart of the server. */
  reopen(): Promise<LocalTarget>
  kill(instance: InstanceId): Promise<void>
  record(instance: InstanceId): Promise<{ process: { pid: number }; address: string; namespace: string }>
  close(): Promise<void>
}

export type MakeRouter = (
  home: string,
  network: HomeNetwork['routerNetwork'],
) => Promise<Router & { shutdown?(): Promise<void>; close?(): void }>

export const newHome = (): Promise<string> => mkdtemp(join(tmpdir(), 'basalt-local-'))

export async function openLocalWorld(
  makeRouter: MakeRouter = fakeRouter,
  existingHome?: string,
): Promise<LocalWorld> {
  const home = existingHome ?? (await newHome())
  const store = await openContentStore(join(home, 'content'))
  const roots = createImageRoots({ store, folder: join(home, 'roots'), exec })
  const image = await storeBusybox(store)
  // Before anything is made that only `close` would remove.
  const runtime = ociRuntime(await chooseRuntime())
  const network = await openHomeNetwork(home)
  const numbers = createInstanceNumbers(numbersFile(home))
  const router = await makeRouter(home, network.routerNetwork)
  const open = () =>
    createLocalTarget({
      home,
      network: createLocalNetwork(network),
      numbers,
      runtime,
      router,
      roots,
      now: Date.now,
    })
  let target = open()
  const paths = localPaths(home, network.plan.key)
  const record = async (id: InstanceId) => JSON.parse(await readFile(paths.instance(id).record, 'utf8'))
  return {
    home,
    get target() {
      return target
    },
    image,
    bridge: network.plan.bridge,
    paths,
    anotherImage: (text) => storeBusybox(store, text),
    async reopen() {
      target.close()
      target = open()
      return target
    },
    kill: async (id) => {
      process.kill((await record(id)).process.pid, 'SIGKILL')
    },
    record,
    async close() {
      await target.shutdown()
      await router.shutdown?.()
      await network.remove()
      for (const { path } of (await readMounts()).filter(({ path }) => path.startsWith(home)))
        await exec('umount', [path])
      await rm(home, { recursive: true, force: true })
    },
  }
}

export async function storeBusybox(
  store: Awaited<ReturnType<typeof openContentStore>>,
  text = 'busybox',
): Promise<ImageDigest> {
  const layer = await tarOf([
    { name: './', type: 'directory', mode: 0o755 },
    { name: './bin/', type: 'directory', mode: 0o755 },
    { name: './bin/busybox', mode: 0o755, content: await readFile('/bin/busybox') },
    ...applets.map((name) => ({ name: `./bin/${name}`, type: 'symlink' as const, linkname: 'busybox' })),
    { name: './bin/serve', mode: 0o755, content: serve },
    { name: './etc/', type: 'directory', mode: 0o755 },
    { name: './etc/image', content: `${text}\n` },
    { name: './etc/passwd', content: 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n' },
  ])
  const config = { Env: ['PATH=/bin'], Cmd: ['/bin/sh'], WorkingDir: '/' }
  return (await storeImage(store, { layers: [layer], config })).digest
}

const timing = { intervalMs: 1000, timeoutMs: 1000, startMs: 10_000, retries: 3 }
export const httpHealth: HealthCheck = { kind: 'http', path: '/up', port: 8080, ...timing }
export const runningHealth: HealthCheck = { kind: 'running', ...timing, intervalMs: 100 }

/** A group of the test image; its id follows from all that is given. */
export function groupSpec(
  image: ImageDigest,
  service: string,
  run: Partial<RunSpec> = {},
  rest: Partial<Pick<GroupSpec, 'environment' | 'replicas' | 'needs'>> = {},
): GroupSpec {
  const full: RunSpec = {
    command: httpServer,
    env: { VERSION: service },
    ports: [{ port: 8080, protocol: 'http' }],
    health: httpHealth,
    needs: [],
    writable: [],
    volumes: [],
    stateful: false,
    limits: { memoryBytes: null, cpus: null, pids: 64 },
    user: null,
    capabilities: [],
    stop: { signal: 'SIGTERM', graceMs: 1000 },
    ...run,
  }
  const environment = rest.environment ?? staging
  const id: GroupId = groupId(service, digestOf({ service, full, environment, image }))
  return { id, environment, service, image, run: full, needs: {}, replicas: 1, ...rest }
}

/** A router that only remembers what it was told; who has traffic also for the next server of its home. */
export async function fakeRouter(home: string): Promise<Router & { readonly calls: string[] }> {
  const calls: string[] = []
  const file = join(home, 'fake-router.json')
  const members = new Map<GroupId, readonly InstanceId[]>(
    existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [],
  )
  const put = (group: GroupId, change: (before: readonly InstanceId[]) => readonly InstanceId[]) => {
    members.set(group, change(members.get(group) ?? []))
    // In one step: tests kill the server that writes it.
    writeFileSync(`${file}.new`, JSON.stringify([...members]))
    renameSync(`${file}.new`, file)
  }
  const note = async (...words: readonly (string | number)[]): Promise<void> => {
    calls.push(words.join(' '))
  }
  return {
    calls,
    open: () => note('open'),
    address: async (group) => `10.255.255.${group.id.length}`,
    join(group, instance, address) {
      put(group.id, (before) => [...before.filter((other) => other !== instance), instance])
      return note('join', group.id, instance, address)
    },
    leave(group, instance) {
      put(group, (before) => before.filter((other) => other !== instance))
      return note('leave', instance)
    },
    handOver: (from, to) => note('handOver', from, to.id),
    forget: (group) => note('forget', group),
    switch: () => note('switch'),
    routes: async () => null,
    members: async () => new Map(members),
    traffic: () => {
      throw new BasaltError('router.failed', { message: 'the fake router counts nothing' })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const behaviours = {
  healthy: { command: httpServer, health: httpHealth },
  'never-healthy': {
    command: ['/bin/sh', '-c', 'echo no server here; sleep 1000'],
    health: { ...httpHealth, startMs: 500 } satisfies HealthCheck,
  },
  dies: { command: ['/bin/sh', '-c', 'echo cannot go on; exit 3'], health: httpHealth },
} as const

/** A group as the contract suite wishes it. */
export function groupFor(image: ImageDigest, wish: GroupWish): GroupSpec {
  return groupSpec(
    image,
    wish.service,
    {
      ...behaviours[wish.behaviour ?? 'healthy'],
      env: { VERSION: wish.version },
      volumes: wish.volume === undefined ? [] : [{ name: wish.volume, path: '/data' }],
      stateful: wish.volume !== undefined,
    },
    { environment: wish.environment, replicas: wish.replicas ?? 1 },
  )
}

/** What a GET gives; null where it is not well answered. */
export function get(port: number, host: string, path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const ask = request({ host: '127.0.0.1', port, path, agent: false, headers: { host } }, (answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      answer.on('end', () => resolve(answer.statusCode === 200 ? body : null))
    })
    ask.on('error', () => resolve(null))
    ask.end()
  })
}
