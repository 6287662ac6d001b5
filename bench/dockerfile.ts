import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chooseBackend } from '../src/build/dockerfile/choose-backend.ts'
import { createDockerfileBuilder } from '../src/build/dockerfile/dockerfile-builder.ts'
import type { Digest } from '../src/core/ids.ts'
import { openContentStore } from '../src/images/oci-layout-store.ts'
import { execOrThrow } from '../src/util/exec.ts'
import { writeFiles } from './build-layer.ts'
import { type DockerEngine, dockerMissing, openDockerEngine } from './docker-engine.ts'
import {
  type BenchOptions,
  type BenchRow,
  beside,
  figureAtMost,
  median,
  ratioAtMost,
  type Skipped,
  timed,
} from './row.ts'

/** Longer than the builder distrusts files that were just written. */
const settleMs = 2200
const recipe = { context: '.', dockerfile: 'Dockerfile', target: null, args: {}, secrets: [], ignore: [] }
const changedFile = 'app/part-7/file-7.bin'

/** A way to build a project; resolves when the image is there. */
type Build = (project: string) => Promise<unknown>

/**
 * A Dockerfile that copies 60 MiB in 5,000 files: with nothing changed, and with one file changed, by turns with the
 * builders themselves, whose caches are warm. Each builder has a copy of the project of its own, and every change is
 * another one, so that none finds what another one has built.
 */
export async function benchDockerfile({
  rounds,
  folder,
}: BenchOptions): Promise<readonly BenchRow[] | Skipped> {
  const missing = dockerMissing() ?? (existsSync('/usr/bin/buildah') ? null : 'needs buildah')
  if (missing !== null) return { skipped: missing }
  const docker = await openDockerEngine(folder)
  const work = mkdtempSync(join(folder, 'basalt-bench-dockerfile-'))
  try {
    const builds = {
      ours: await ourBuild(docker, work),
      buildkit: engineBuild(docker, '1'),
      classic: engineBuild(docker, '0'),
      buildah: buildahBuild(work),
    }
    const names = Object.keys(builds) as (keyof typeof builds)[]
    writeFiles(join(work, 'source/app'))
    writeFileSync(join(work, 'source/Dockerfile'), 'FROM scratch\nCOPY app /app\n')
    for (const name of names) cpSync(join(work, 'source'), join(work, name), { recursive: true })
    await sleep(settleMs)
    const unchanged = await measure(names, rounds, async (name) => {
      await builds[name](join(work, name))
      return timed(() => builds[name](join(work, name)))
    })
    const changed = await measure(['ours', 'buildkit'], rounds, async (name, round) => {
      writeFileSync(join(work, name, changedFile), `${name} ${round}`)
      return timed(() => builds[name](join(work, name)))
    })
    const id = await docker.run(['build', '--quiet', join(work, 'buildkit')], { DOCKER_BUILDKIT: '1' })
    const saved = join(work, 'saved.tar')
    const save = await measure(['save'], rounds, () => timed(() => docker.run(['save', '-o', saved, id])))
    return rowsOf(unchanged, changed, save.save)
  } finally {
    await docker.close()
    rmSync(work, { recursive: true, force: true })
  }
}

type Figures<Name extends string> = Readonly<Record<Name, number>>

async function measure<Name extends string>(
  names: readonly Name[],
  rounds: number,
  once: (name: Name, round: number) => Promise<number>,
): Promise<Figures<Name>> {
  const times = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++)
    for (const name of names) times.get(name)?.push(await once(name, round))
  return Object.fromEntries(
    [...times].map(([name, values]) => [name, median(values.slice(1))]),
  ) as Figures<Name>
}

function rowsOf(
  unchanged: Figures<'ours' | 'buildkit' | 'classic' | 'buildah'>,
  changed: Figures<'ours' | 'buildkit'>,
  saveMs: number,
): readonly BenchRow[] {
  const what = 'Dockerfile, 60 MiB in 5,000 files'
  const { ours } = unchanged
  const name = `${what}, nothing changed`
  const added = changed.ours - changed.buildkit
  return [
    beside(name, 'ms', ours, ['BuildKit', unchanged.buildkit], ratioAtMost(1)),
    beside(name, 'ms', ours, ['classic builder', unchanged.classic], ratioAtMost(1 / 5)),
    beside(name, 'ms', ours, ['buildah', unchanged.buildah], ratioAtMost(1 / 5)),
    beside(`${what}, one changed, into the store`, 'ms', changed.ours, ['BuildKit alone', changed.buildkit]),
    // The image can leave an Engine in no other way than this.
    beside(`${what}, one changed, into the store`, 'ms', changed.ours, [
      'BuildKit, then docker save',
      changed.buildkit + saveMs,
    ]),
    beside(
      `${what}, one changed, what Basalt adds`,
      'ms',
      added,
      ['BuildKit alone', changed.buildkit],
      figureAtMost(changed.buildkit * 0.15 + 300),
    ),
  ]
}

async function ourBuild(docker: DockerEngine, work: string): Promise<Build> {
  const store = await openContentStore(join(work, 'content'))
  const cacheFolder = join(work, 'cache')
  const environment = { DOCKER_HOST: `unix://${docker.socket}`, BASALT_DOCKERFILE_BUILDER: 'buildkit' }
  const pins = new Map<string, Digest>()
  const find = (reference: string) => pins.get(reference) ?? null
  return (project) => {
    const builder = createDockerfileBuilder({
      store,
      cacheFolder,
      pins: { find, before: find, keep: (reference, digest) => void pins.set(reference, digest) },
      resolveImage: null,
      findLogin: async () => null,
      openBackend: (op) => chooseBackend(environment, cacheFolder, op),
      wanted: 'buildkit',
      contextLimitBytes: 2 ** 30,
      now: Date.now,
    })
    const context = {
      service: 'bench',
      folder: project,
      sourceTime: 1_750_000_000,
      revision: null,
      dirty: false,
    }
    return builder.build(recipe, context, { signal: new AbortController().signal })
  }
}

const engineBuild =
  (docker: DockerEngine, buildkit: '0' | '1'): Build =>
  (project) =>
    docker.run(['build', '--quiet', project], { DOCKER_BUILDKIT: buildkit })

/** In a mount namespace of its own, as it keeps a mount that nobody would remove. */
function buildahBuild(work: string): Build {
  const storage = ['--root', join(work, 'buildah'), '--runroot', join(work, 'buildah-run')]
  mkdirSync(join(work, 'buildah'))
  const words = ['--mount', '--propagation', 'private', 'buildah', ...storage, 'build-using-dockerfile']
  return (project) =>
    execOrThrow('build.failed', 'buildah', 'unshare', [...words, '--quiet', '--layers', project], {
      timeoutMs: 120_000,
    })
}
