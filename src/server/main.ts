import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openDockerfileBuilder } from '../build/dockerfile/open-dockerfile-builder.ts'
import { createImageResolver } from '../build/image-resolver.ts'
import { openSource } from '../build/source.ts'
import { type DeploymentId, environmentNameOf, systemOf } from '../core/ids.ts'
import { createSystemBuilder } from '../engine/build-system.ts'
import { createEngine } from '../engine/create-engine.ts'
import type { Engine } from '../engine/engine.ts'
import { type Journal, openJournal } from '../engine/journal.ts'
import type { SystemBuilder } from '../engine/system-builder.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore } from '../images/content-store.ts'
import { findPulledImage } from '../images/find-pulled-image.ts'
import { loadImage } from '../images/image.ts'
import { createImageRoots, type ImageRoots } from '../images/image-roots.ts'
import { importImages } from '../images/import-images.ts'
import { openContentStore } from '../images/oci-layout-store.ts'
import { parseReference } from '../images/reference.ts'
import { createReleaseShelf } from '../images/release-shelf.ts'
import { createHaproxyRouter, type HaproxyRouter } from '../router/haproxy/haproxy-router.ts'
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts'
import { deferTarget } from '../targets/deferred-target.ts'
import { numbersFile } from '../targets/local/local-paths.ts'
import { createLocalTarget, type LocalTarget, localGuarantees } from '../targets/local/local-target.ts'
import { type LocalNetwork, openLocalNetwork } from '../targets/local/network/local-network.ts'
import { chooseRuntime } from '../targets/local/runtime/choose-runtime.ts'
import { ociRuntime } from '../targets/local/runtime/oci-runtime.ts'
import { rememberChoice } from '../targets/local/runtime/remember-choice.ts'
import { exec } from '../util/exec.ts'
import { onceSucceeded } from '../util/once-succeeded.ts'
import { createMemoryRelease } from '../util/release-memory.ts'
import type { Home } from './home.ts'
import { openRegistries } from './open-registries.ts'
import { type OpenedEngine, reportStartFailure, runServer } from './run-server.ts'

/** The one place that names what Basalt is made of. */
async function open({ folder }: Home): Promise<OpenedEngine> {
  // Releases hold environment variables, and the state folder may be one that everybody can look into.
  for (const name of ['images', 'cache']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 })
  const store = openSqliteStore({ path: join(folder, 'ledger.db'), now: Date.now })
  const content = await openContentStore(join(folder, 'images'))
  const roots = createImageRoots({ store: content, folder: join(folder, 'roots'), exec })
  let parts: LocalParts | undefined
  const openNetwork = onceSucceeded(() => openLocalNetwork(folder))
  const local = deferTarget('local', localGuarantees, async () => {
    parts = await openLocal(folder, openNetwork, roots)
    return parts.target
  })
  const journal = await openJournal(store, { signal: AbortSignal.timeout(foldPatienceMs) })
  // Where something may run it is taken over at once; where nothing does, a machine needs nothing to run it with.
  if (journal.view.environments.size > 0) local.openNow().catch(() => {})
  const releaseMemory = createMemoryRelease(quietMs)
  journal.subscribe(({ type }) => (workEnds.has(type) ? releaseMemory() : undefined))
  setTimeout(() => void Promise.all([manifestParser(), nativeBuilder()]), loadLateMs).unref()
  const registries = openRegistries(content, join(folder, 'cache'))
  const engine = createEngine({
    journal,
    targets: new Map([['local', local]]),
    loadManifest: async (file) => (await manifestParser()).loadManifest(file),
    releases: createReleaseShelf(content),
    importImages: (bytes, op) => importImages(content, bytes, op),
    registries,
    now: Date.now,
    newDeploymentId,
    log,
    verifyLedger: (from, op) => store.verify(op, from),
    builder: openSystemBuilder(content, join(folder, 'cache'), registries),
  })
  const op = { signal: new AbortController().signal }
  return {
    engine,
    async remove() {
      await takeDown(engine, journal)
      await engine.close()
      // Another server may have run what this one was never asked about.
      if (existsSync(numbersFile(folder))) await local.openNow()
      if (parts === undefined) return removeUnused(openNetwork)
      // To forget a group the target asks the router, which would start it again.
      await parts.target.shutdown()
      await parts.router.shutdown()
      for (const { id } of await roots.list()) await roots.release(id, op)
    },
    async close() {
      await engine.close()
      await local.opened()
      parts?.target.close()
      parts?.router.close()
      await store.close()
    },
  }
}

interface LocalParts {
  readonly target: LocalTarget
  readonly router: HaproxyRouter
}

async function openLocal(
  folder: string,
  openNetwork: () => Promise<LocalNetwork>,
  roots: ImageRoots,
): Promise<LocalParts> {
  const [network, choice] = await Promise.all([openNetwork(), rememberChoice(choiceFile, chooseRuntime)])
  const report = (problem: Error): void => log(`local: ${problem.message}`)
  const shared = { now: Date.now, report }
  const routerFolder = join(folder, 'router')
  const router = createHaproxyRouter({
    folder: routerFolder,
    network: network.routerNetwork,
    exec,
    ...shared,
  })
  const runtime = ociRuntime(choice)
  const target = createLocalTarget({ home: folder, network, runtime, router, roots, ...shared })
  // A failed adoption is tried again by the next call, with a target of its own.
  await target.ready.catch((error: unknown) => {
    target.close()
    router.close()
    throw error
  })
  return { target, router }
}

/** All homes of this machine share what was found out about it. */
const choiceFile = '/run/basalt/runtime.json'

/** A build reads indexes of a hundred megabytes, a deployment unpacks images: what that needed is given back. */
const workEnds: ReadonlySet<string> = new Set(['release-frozen', 'deployment-ended'])
const quietMs = 3000

/** A third of the program. A server that comes back has its instances to look after first. */
const manifestParser = () => import('../config/load-manifest.ts')
const nativeBuilder = () => import('../build/native/open-native-builder.ts')
const loadLateMs = 1500

const openSystemBuilder = (
  store: ContentStore,
  cacheFolder: string,
  registries: ReturnType<typeof openRegistries>,
): SystemBuilder =>
  createSystemBuilder({
    openBuilders: async ({ packages, images }) => ({
      native: (await nativeBuilder()).openNativeBuilder({
        store,
        cacheFolder,
        lock: packages,
        environment: process.env,
      }),
      dockerfile: openDockerfileBuilder({
        store,
        cacheFolder,
        pins: images,
        resolveImage: async (text, op) => (await registries.resolve(parseReference(text), op)).digest,
        findLogin: registries.findLogin,
        environment: process.env,
      }),
    }),
    readText: async (digest) => (await store.read(digest)).toString(),
    openResolver: (lock) =>
      createImageResolver({ lock, registry: registries, find: (digest) => findPulledImage(store, digest) }),
    openSource: (source, op) => openSource(source, { exec, environment: process.env }, op),
    imageSizeBytes: async (image) => {
      const { layers } = await loadImage(store, image)
      return layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0)
    },
  })

/** Every environment by a deployment of its own, so that the ledger has it; one that runs is aborted. */
async function takeDown(engine: Engine, journal: Journal): Promise<void> {
  const op = { signal: AbortSignal.timeout(removePatienceMs) }
  const actor = { name: 'remove' }
  for (const [id, { deployment: running }] of journal.view.environments) {
    if (running !== null) {
      await engine.abort(running.deployment, actor, op).catch((error: unknown) => {
        // Too late to abort is soon enough: it ends by itself.
        if (!(error instanceof BasaltError && tooLateToAbort.has(error.code))) throw error
      })
      await engine.outcome(running.deployment, op)
    }
    if (journal.environment(id).serving === null) continue
    const scope = { file: null, system: systemOf(id), environment: environmentNameOf(id) }
    const started = await engine.down({ ...scope, wait: true, actor }, op)
    if (started.deployment !== null) await engine.outcome(started.deployment, op)
  }
}

/** What an opening that failed half-way has left: no instance was ever there. */
async function removeUnused(openNetwork: () => Promise<LocalNetwork>): Promise<void> {
  const network = await openNetwork().catch((error: unknown) => {
    // Without the program that makes networks there is none.
    if (error instanceof BasaltError && error.code === 'host.tool-missing') return null
    throw error
  })
  await network?.remove()
}

const tooLateToAbort: ReadonlySet<string> = new Set(['deployment.settled', 'deployment.unknown'])
const removePatienceMs = 300_000

/** Folding a ledger of a million events takes seconds; one that takes minutes is broken. */
const foldPatienceMs = 120_000

/** Sorts by time: 48 bits of milliseconds and 32 random ones, in base 32. */
function newDeploymentId(): DeploymentId {
  const bits = (BigInt(Date.now()) << 32n) | BigInt(randomBytes(4).readUInt32BE())
  const digits = bits.toString(32).padStart(16, '0')
  return `d-${digits}` as DeploymentId
}

function log(message: string, details: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(
    `${JSON.stringify({ level: 40, time: new Date().toISOString(), msg: message, ...details })}\n`,
  )
}

await runServer({ environment: process.env, open }).catch((error: unknown) => {
  process.exitCode = reportStartFailure(error)
})
