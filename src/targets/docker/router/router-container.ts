import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerCreateOptions } from 'dockerode'
import type { Digest, ImageDigest } from '../../../core/ids.ts'
import { routerNotStarted } from '../../../router/router-failed.ts'
import type { RouterLauncher, RouterPlace } from '../../../router/router-launcher.ts'
import type { DockerEngine } from '../engine/docker-engine.ts'
import type { EngineImages } from '../image/engine-images.ts'
import { asLabels } from '../instance/labels.ts'

export interface RouterContainerOptions {
  readonly home: string
  /** Of the home's network: the container is named after it. */
  readonly bridge: string
  readonly engine: DockerEngine
  readonly images: EngineImages
  /** The image with `haproxy` in it; made on first use. */
  readonly image: () => Promise<ImageDigest>
}

/** In no image, and without rights anywhere. */
const nobody = 65_534
const startPatienceMs = 10_000
const pollMs = 10

/**
 * HAProxy in a container of the Engine, for hosts that have none: in the host's network, with nothing to write but its
 * own folder, which has the same path inside. It ends with the Engine, unless that keeps containers (live-restore), and is
 * then started again by the router.
 */
export function routerContainer(options: RouterContainerOptions): RouterLauncher {
  const { engine, images, image, bridge } = options
  const name = `${bridge}.router`
  return {
    user: async () => nobody,
    async start(place) {
      const { id } = await images.ensure(await image(), { signal: new AbortController().signal })
      // An ended one has the name still.
      await engine.remove(name)
      const container = await engine.create(await wish(options, name, id, place))
      try {
        await engine.start(container)
        return await pidOnceReady(engine, container, place)
      } catch (error) {
        await engine.remove(container).catch(() => {})
        throw error
      }
    },
    async clear() {
      await engine.remove(name)
      await images.removeAll()
    },
  }
}

async function pidOnceReady(engine: DockerEngine, container: string, place: RouterPlace): Promise<number> {
  const socket = join(place.folder, place.socket)
  for (let waitedMs = 0; waitedMs < startPatienceMs; waitedMs += pollMs) {
    if (await accepts(socket)) break
    const state = await engine.inspect(container)
    if (state?.running !== true)
      throw routerNotStarted(place, state?.error || (await outputOf(engine, container)))
    await sleep(pollMs)
  }
  const state = await engine.inspect(container)
  if (state?.running === true) return state.pid
  throw routerNotStarted(place, await outputOf(engine, container))
}

const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

async function outputOf(engine: DockerEngine, container: string): Promise<string> {
  const lines: string[] = []
  const options = { follow: false, tail: 50, signal: new AbortController().signal }
  for await (const { text } of engine.logs(container, options)) lines.push(text)
  return lines.join('\n')
}

/** As root until its ports are bound, and with no rights but those that this takes. */
const capabilities = ['CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_SETUID', 'CAP_SETGID']

async function wish(
  { home }: RouterContainerOptions,
  name: string,
  image: Digest,
  { folder, config }: RouterPlace,
): Promise<ContainerCreateOptions & { readonly name: string }> {
  const openFiles = openFilesLimit(await readFile('/proc/self/limits', 'utf8'))
  return {
    name,
    Image: image,
    Entrypoint: ['haproxy', '-db', '-C', folder, '-f', config],
    Cmd: [],
    User: '0:0',
    Labels: asLabels(`org.basalt.router=${home}`),
    HostConfig: {
      NetworkMode: 'host',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: capabilities,
      SecurityOpt: ['no-new-privileges'],
      Binds: [`${folder}:${folder}:rw`],
      ...(openFiles === null ? {} : { Ulimits: [{ Name: 'nofile', Soft: openFiles, Hard: openFiles }] }),
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
    },
  }
}

/** The router counts on what this process may open (proc_pid_limits(5)); null where nothing limits it. */
function openFilesLimit(limits: string): number | null {
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1]
  return hard === undefined ? null : Number(hard)
}
