import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openDockerfileBuilder } from '../build/dockerfile/open-dockerfile-builder.ts'
import { createImageResolver } from '../build/image-resolver.ts'
import { openSource } from '../build/source.ts'
import { impliedEnvironment, isDockerfile } from '../config/implied-names.ts'
import { impliedTarget } from '../config/implied-target.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import { servingGeneration, warmGeneration } from '../core/environment-state.ts'
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
import { createImageRoots } from '../images/image-roots.ts'
import { importImages } from '../images/import-images.ts'
import { openContentStore } from '../images/oci-layout-store.ts'
import { parseReference } from '../images/reference.ts'
import { openRegistry } from '../images/registry/server/open-registry.ts'
import type { RetainedRelease } from '../images/registry/server/release-shares.ts'
import { createReleaseShelf } from '../images/release-shelf.ts'
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts'
import { exec } from '../util/exec.ts'
import { createMemoryRelease } from '../util/release-memory.ts'
import type { Home } from './home.ts'
import { openRegistries } from './open-registries.ts'
import { type Log, type OpenedEngine, reportStartFailure, runServer } from './run-server.ts'
import { openTargets } from './targets/main.ts'

/** The one place that names what Basalt is made of. */
async function open({ folder }: Home): Promise<OpenedEngine> {
  // Releases hold environment variables, and the state folder may be one that everybody can look into.
  for (const name of ['images', 'cache']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 })
  const store = openSqliteStore({ path: join(folder, 'ledger.db'), now: Date.now })
  const content = await openContentStore(join(folder, 'images'))
  const roots = createImageRoots({ store: content, folder: join(folder, 'roots'), exec })
  const targets = openTargets({ folder, content, roots, environment: process.env, log })
  const journal = await openJournal(store, { signal: AbortSignal.timeout(foldPatienceMs) })
  // Where something may run it is taken over at once; where nothing does, a machine needs nothing to run it with.
  targets.takeOver(targetsInUse(journal))
  const releaseMemory = createMemoryRelease(quietMs)
  journal.subscribe(({ type }) => (workEnds.has(type) ? releaseMemory() : undefined))
  // Whoever needs one that cannot be loaded is told.
  setTimeout(() => void Promise.allSettled([manifestParser(), nativeBuilder()]), loadLateMs).unref()
  const registries = openRegistries(content, join(folder, 'cache'))
  const engine = createEngine({
    journal,
    targets: targets.byName,
    loadManifest: (file) => loadSystem(file, journal),
    releases: createReleaseShelf(content),
    importImages: (bytes, op) => importImages(content, bytes, op),
    registries,
    now: Date.now,
    newDeploymentId,
    log,
    verifyLedger: (from, op) => store.verify(op, from),
    builder: openSystemBuilder(content, join(folder, 'cache'), registries),
  })
  const registry = await openRegistry({
    folder: join(folder, 'registry'),
    content,
    releases: () => retainedReleases(journal),
    now: Date.now,
    log,
  })
  const op = { signal: new AbortController().signal }
  return {
    engine,
    registry,
    async remove() {
      await takeDown(engine, journal)
      await engine.close()
      await targets.remove()
      for (const { id } of await roots.list()) await roots.release(id, op)
    },
    async close() {
      await registry.close()
      await engine.close()
      await targets.close()
      await store.close()
    },
  }
}

/** Those that run something, or may have something left of what they ran. */
const targetsInUse = ({ view }: Journal): ReadonlySet<string> =>
  new Set(
    [...view.environments.values()].flatMap((state) =>
      [servingGeneration(state)?.binding.target, warmGeneration(state)?.binding.target, state.target].filter(
        (name) => name !== undefined && name !== null,
      ),
    ),
  )

/** All of them: none is ever collected. */
const retainedReleases = ({ view }: Journal): readonly RetainedRelease[] =>
  [...view.systems].flatMap(([system, { releases }]) =>
    releases.map(({ release: { name, version }, artifact }) => ({ system, version, name, artifact })),
  )

/** A build reads indexes of a hundred megabytes, a deployment unpacks images: what that needed is given back. */
const workEnds: ReadonlySet<string> = new Set(['release-frozen', 'deployment-ended'])
const quietMs = 3000

/** A third of the program. A server that comes back has its instances to look after first. */
const manifestParser = () => import('../config/load-manifest.ts')
const nativeBuilder = () => import('../build/native/open-native-builder.ts')
const loadLateMs = 1500

/** basalt.yaml, or the system that a Dockerfile alone stands for. */
async function loadSystem(file: string, journal: Journal): Promise<LoadedManifest> {
  if (!isDockerfile(file)) return (await manifestParser()).loadManifest(file)
  const { impliedManifest } = await import('../config/implied-manifest.ts')
  // What has served stays where it is: whether an Engine has its socket may change from one command to the next.
  const { newest } = journal.environment(impliedEnvironment(file))
  return impliedManifest(file, newest?.generation.binding.target ?? impliedTarget(process.env))
}

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

const log: Log = (message, details = {}) => {
  process.stdout.write(
    `${JSON.stringify({ level: 40, time: new Date().toISOString(), msg: message, ...details })}\n`,
  )
}

await runServer({ environment: process.env, open }).catch((error: unknown) => {
  process.exitCode = reportStartFailure(error)
})
