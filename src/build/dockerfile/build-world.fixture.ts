import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { extract } from 'tar-stream'
import type { Digest, ImageDigest } from '../../core/ids.ts'
import type { ProgressEvent } from '../../core/op.ts'
import type { DockerfileRecipe } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { loadImage } from '../../images/image.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import type { Builder, BuiltImage, FindLogin } from '../builder.ts'
import type { Backend, BackendName } from './backend.ts'
import { chooseBackend } from './choose-backend.ts'
import { createDockerfileBuilder } from './dockerfile-builder.ts'
import type { ResolveImage } from './resolve-bases.ts'

/** A project, a content store and a cache in a folder of a test's own. */
export interface BuildWorld {
  readonly folder: string
  readonly project: string
  readonly store: ContentStore
  readonly pins: Map<string, Digest>
  readonly events: ProgressEvent[]
  /** How often something was asked for that builds. */
  opened(): number
  write(files: Readonly<Record<string, string>>): void
  /** In a run of its own, as every `basalt build` is. */
  build(options?: BuildOptions): Promise<BuiltImage>
  /** In one run, at the same time. */
  buildAll(recipes: readonly Partial<DockerfileRecipe>[]): Promise<readonly BuiltImage[]>
  close(): void
}

export interface BuildOptions {
  readonly recipe?: Partial<DockerfileRecipe>
  readonly check?: boolean
  readonly update?: boolean
  readonly signal?: AbortSignal
  readonly resolveImage?: ResolveImage
  readonly backend?: Backend
  readonly findLogin?: FindLogin
  readonly contextLimitBytes?: number
}

export async function openBuildWorld(
  wanted: BackendName,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<BuildWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-dockerfile-'))
  const project = join(folder, 'project')
  mkdirSync(join(project, 'web'), { recursive: true })
  copyFileSync('/bin/busybox', join(project, 'web/busybox'))
  const store = await openContentStore(join(folder, 'content'))
  const cacheFolder = join(folder, 'cache')
  const pins = new Map<string, Digest>()
  const events: ProgressEvent[] = []
  let opened = 0
  const open = (options: BuildOptions): Builder<DockerfileRecipe> =>
    createDockerfileBuilder({
      store,
      cacheFolder,
      pins: {
        find: (reference) => (options.update === true ? null : (pins.get(reference) ?? null)),
        before: (reference) => pins.get(reference) ?? null,
        keep: (reference, digest) => void pins.set(reference, digest),
      },
      resolveImage: options.resolveImage ?? null,
      findLogin: options.findLogin ?? (async () => null),
      wanted,
      contextLimitBytes: options.contextLimitBytes ?? 2 ** 30,
      now: Date.now,
      openBackend: async (op) => {
        opened++
        const settings = { ...process.env, ...environment, BASALT_DOCKERFILE_BUILDER: wanted }
        return options.backend ?? chooseBackend(settings, cacheFolder, op)
      },
    })
  const buildIn = (builder: Builder<DockerfileRecipe>, options: BuildOptions): Promise<BuiltImage> => {
    const recipe = { ...plainRecipe, ...options.recipe }
    const facts = { service: 'web', folder: project, sourceTime: 1_750_000_000, revision: null, dirty: false }
    const op = {
      signal: options.signal ?? AbortSignal.timeout(50_000),
      notify: (event: ProgressEvent) => void events.push(event),
    }
    return builder.build(recipe, { ...facts, check: options.check ?? false }, op)
  }
  return {
    folder,
    project,
    store,
    pins,
    events,
    opened: () => opened,
    write(files) {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(project, path)), { recursive: true })
        writeFileSync(join(project, path), text)
      }
    },
    build: (options = {}) => buildIn(open(options), options),
    buildAll(recipes) {
      const builder = open({})
      return Promise.all(recipes.map((recipe) => buildIn(builder, { recipe })))
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const plainRecipe: DockerfileRecipe = {
  context: 'web',
  dockerfile: 'Dockerfile',
  target: null,
  args: {},
  secrets: [],
  ignore: [],
}

/** The error of a build that has to fail. */
export async function failureOf(build: Promise<unknown>): Promise<BasaltError> {
  const error = await build.then(
    () => null,
    (cause: unknown) => cause,
  )
  if (error instanceof BasaltError) return error
  throw error instanceof Error ? error : new RangeError('the build did not fail')
}

export interface FileInImage {
  readonly mode: number
  /** Seconds since the epoch. */
  readonly time: number
  readonly text: string
}

/** Regular files of all layers, the uppermost of each path. */
export async function filesOf(
  store: ContentStore,
  image: ImageDigest,
): Promise<ReadonlyMap<string, FileInImage>> {
  const files = new Map<string, FileInImage>()
  for (const { descriptor } of (await loadImage(store, image)).layers) {
    const archive = (await store.open(descriptor.digest)).pipe(extract())
    for await (const entry of archive) {
      const chunks: Buffer[] = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      const { name, type, mode, mtime } = entry.header
      if (type === 'file')
        files.set(name.replace(/^\.?\//, ''), {
          mode,
          time: (mtime?.getTime() ?? 0) / 1000,
          text: Buffer.concat(chunks).toString('latin1'),
        })
    }
  }
  return files
}
