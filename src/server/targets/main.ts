import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createPackageLock } from '../../build/lock-file.ts'
import type { ImageDigest } from '../../core/ids.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import type { ImageRoots } from '../../images/image-roots.ts'
import { createHaproxyRouter, type HaproxyRouter } from '../../router/haproxy/haproxy-router.ts'
import { hostLauncherOr } from '../../router/haproxy/host-launcher.ts'
import type { RouterLauncher } from '../../router/router-launcher.ts'
import { deferTarget } from '../../targets/deferred-target.ts'
import { dockerInstances, dockerPaths } from '../../targets/docker/docker-paths.ts'
import {
  createDockerTarget,
  type DockerTarget,
  dockerGuarantees,
} from '../../targets/docker/docker-target.ts'
import { openDockerEngine } from '../../targets/docker/engine/dockerode-engine.ts'
import { createEngineImages } from '../../targets/docker/image/engine-images.ts'
import { routerContainer } from '../../targets/docker/router/router-container.ts'
import { numbersFile } from '../../targets/host/home-paths.ts'
import { createInstanceNumbers, type InstanceNumbers } from '../../targets/host/instance/instance-numbers.ts'
import { type HomeNetwork, openHomeNetwork } from '../../targets/host/network/home-network.ts'
import { logsFolder } from '../../targets/local/local-paths.ts'
import { createLocalTarget, type LocalTarget, localGuarantees } from '../../targets/local/local-target.ts'
import { createLocalNetwork } from '../../targets/local/network/local-network.ts'
import { chooseRuntime } from '../../targets/local/runtime/choose-runtime.ts'
import { ociRuntime } from '../../targets/local/runtime/oci-runtime.ts'
import { rememberChoice } from '../../targets/local/runtime/remember-choice.ts'
import type { Target } from '../../targets/target.ts'
import { dockerSocket } from '../../util/docker-socket.ts'
import { exec } from '../../util/exec.ts'
import { onceSucceeded } from '../../util/once-succeeded.ts'
import type { Log } from '../run-server.ts'
import { routerImage, routerRecipe } from './router-image.ts'

/** The targets of one home, each opened by its first use. */
export interface HomeTargets {
  readonly byName: ReadonlyMap<string, Target>
  /** Takes over now what may run there, rather than when somebody asks. */
  takeOver(names: ReadonlySet<string>): void
  /** Ends and removes all that runs, the router and the network. */
  remove(): Promise<void>
  /** Lets go of all, which runs on. */
  close(): Promise<void>
}

interface Parts {
  readonly folder: string
  readonly content: ContentStore
  readonly roots: ImageRoots
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

/** What all targets of a home share: so a name, an address and a way in mean the same on each of them. */
interface Shared {
  readonly network: HomeNetwork
  readonly router: HaproxyRouter
  readonly numbers: InstanceNumbers
  endWatch(): Promise<void>
}

export function openTargets(parts: Parts): HomeTargets {
  const { folder } = parts
  let opened: Shared | undefined
  const shared = onceSucceeded(async () => {
    opened = await openShared(parts)
    return opened
  })
  let local: LocalTarget | undefined
  let docker: DockerTarget | undefined
  const deferred = {
    local: deferTarget(
      'local',
      localGuarantees,
      async () => {
        local = await openLocal(parts, shared)
        return local
      },
      sharedRouter,
    ),
    docker: deferTarget(
      'docker',
      dockerGuarantees,
      async () => {
        docker = await openDocker(parts, shared)
        return docker
      },
      sharedRouter,
    ),
  }
  return {
    byName: new Map(Object.entries(deferred)),
    takeOver(names) {
      for (const [name, target] of Object.entries(deferred))
        if (names.has(name)) target.openNow().catch(() => {})
    },
    async remove() {
      // Another server may have run what this one was never asked about.
      if (existsSync(logsFolder(folder))) await deferred.local.openNow()
      if (existsSync(dockerInstances(folder))) await deferred.docker.openNow()
      if (opened === undefined) return removeUnused(folder)
      // To forget a group a target asks the router, which would start it again.
      await Promise.all([local?.shutdown(), docker?.shutdown()])
      await opened.router.shutdown()
      await opened.endWatch()
      await opened.network.remove()
    },
    async close() {
      for (const target of Object.values(deferred)) await target.opened()
      local?.close()
      docker?.close()
      opened?.router.close()
      void opened?.endWatch()
    },
  }
}

async function openShared(parts: Parts): Promise<Shared> {
  const { folder, log } = parts
  const network = await openHomeNetwork(folder)
  const report = (problem: BasaltError): void => log(`router: ${problem.message}`)
  return {
    network,
    router: createHaproxyRouter({
      folder: join(folder, 'router'),
      network: network.routerNetwork,
      exec,
      launcher: hostLauncherOr(exec, () => openRouterContainer(parts, network)),
      now: Date.now,
      report,
    }),
    numbers: createInstanceNumbers(numbersFile(folder)),
    endWatch: network.watch((problem) => log(`network: ${problem.message}`)),
  }
}

async function openLocal({ folder, roots, log }: Parts, shared: () => Promise<Shared>): Promise<LocalTarget> {
  const [{ network, router, numbers }, choice] = await Promise.all([
    shared(),
    rememberChoice(choiceFile, chooseRuntime),
  ])
  const target = createLocalTarget({
    home: folder,
    network: createLocalNetwork(network),
    runtime: ociRuntime(choice),
    router,
    numbers,
    roots,
    now: Date.now,
    report: (problem) => log(`local: ${problem.message}`),
  })
  // A failed adoption is tried again by the next call, with a target of its own.
  await target.ready.catch((error: unknown) => {
    target.close()
    throw error
  })
  return target
}

async function openDocker(
  { folder, content, environment, log }: Parts,
  shared: () => Promise<Shared>,
): Promise<DockerTarget> {
  // Before anything is made that an Engine which does not answer has no use for.
  const engine = await openDockerEngine(dockerSocket(environment))
  await engine.check()
  const { network, router, numbers } = await shared()
  const target = createDockerTarget({
    home: folder,
    engine,
    network,
    numbers,
    router,
    content,
    now: Date.now,
    report: (problem) => log(`docker: ${problem.message}`),
  })
  await target.ready.catch((error: unknown) => {
    target.close()
    throw error
  })
  return target
}

/** For a host that has Docker and no HAProxy. */
async function openRouterContainer(
  { folder, content, environment, log }: Parts,
  { plan }: HomeNetwork,
): Promise<RouterLauncher> {
  const engine = await openDockerEngine(dockerSocket(environment))
  await engine.check()
  const build = async (): Promise<ImageDigest> => {
    log("router: this host has no HAProxy; building the router's image from Debian's packages")
    // A third of the program, which nobody else needs here.
    const { openNativeBuilder } = await import('../../build/native/open-native-builder.ts')
    const lock = createPackageLock([], { update: false })
    const builder = openNativeBuilder({
      store: content,
      cacheFolder: join(folder, 'cache'),
      lock,
      environment,
    })
    const context = { service: 'router', folder, sourceTime: 0, revision: null, dirty: false }
    return (await builder.build(routerRecipe, context, { signal: new AbortController().signal })).image
  }
  return routerContainer({
    home: folder,
    bridge: plan.bridge,
    engine,
    images: createEngineImages(engine, content, dockerPaths(folder).images),
    image: () => routerImage(content, join(folder, 'router', 'image.json'), build),
  })
}

/** One HAProxy serves all targets of a home. */
const sharedRouter = 'host'

/** All homes of this machine share what was found out about it. */
const choiceFile = '/run/basalt/runtime.json'

/** What an opening that failed half-way has left: no instance was ever there. */
async function removeUnused(folder: string): Promise<void> {
  const network = await openHomeNetwork(folder).catch((error: unknown) => {
    // Without the program that makes networks there is none.
    if (error instanceof BasaltError && error.code === 'host.tool-missing') return null
    throw error
  })
  await network?.remove()
}
