import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Digest } from '../../../core/ids.ts'
import { isDigest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { saysDiskFull } from '../../../util/docker-engine-errors.ts'
import { writeTar } from '../../../util/tar-writer.ts'
import { type Backend, type BackendWork, buildArguments, type MadeImage } from '../backend.ts'
import { contextMembers } from '../context/build-context.ts'
import { buildDiskFull } from '../engine/engine-errors.ts'
import { replaceImages } from '../parse/parse-dockerfile.ts'
import { pinnedReference } from '../pinned-reference.ts'
import { stepFailure, syntaxFailure } from '../step-failure.ts'
import { buildahStep } from './buildah-step.ts'
import { findProgram } from './find-program.ts'
import { layoutArchive } from './layout-archive.ts'
import { type BuildahRun, runBuildah } from './run-buildah.ts'

/**
 * buildah, without any daemon. Its storage is a folder of ours: nothing is left in the user's, and it may be deleted at
 * any time.
 */
export function buildahBackend(version: string, cacheFolder: string): Backend {
  const storage = join(cacheFolder, 'buildah')
  return {
    name: 'buildah',
    version,
    findLocal: async () => null,
    build: (work, op) => build(storage, work, op),
  }
}

/** The version of the buildah that is installed; null: there is none. */
export async function buildahVersion(op: Pick<Op, 'signal'>): Promise<string | null> {
  if (findProgram('buildah') === null) return null
  const run = await runBuildah(['--version'], { op })
  return /version (\S+)/.exec(run.stdout)?.[1] ?? 'unknown'
}

/** One build: where buildah keeps images, and a folder for what only this build needs. */
interface Place {
  /** Where it keeps images: options that go before every command. */
  readonly storage: readonly string[]
  readonly folder: string
}

async function build(storage: string, work: BackendWork, op: Op): Promise<MadeImage> {
  await mkdir(storage, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(storage, 'build-'))
  const place = { storage: ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')], folder }
  try {
    const id = await makeImage(place, work, op)
    return { id, archive: (abort) => push(place, work, id, abort), tidy: tidied(place, work, id) }
  } catch (cause) {
    await rm(folder, { recursive: true, force: true })
    throw cause
  }
}

async function makeImage(place: Place, work: BackendWork, op: Op): Promise<Digest> {
  const { folder } = place
  const replaced = work.bases
    .filter(({ stage }) => stage !== null)
    .map((base) => ({ ...base, by: pinnedReference(base) }))
  await writeFile(join(folder, 'Dockerfile'), replaceImages(work.dockerfile.text, replaced))
  await writeFile(join(folder, 'ignore'), '')
  const args = buildWords(place, work, await writeSecrets(folder, work))
  let step = 'start'
  const run = await runBuildah(args, {
    op,
    input: Readable.from(writeTar(contextMembers(work.files, work.sourceTime)), { objectMode: false }),
    tell: (said) => {
      // Its own lines and those of the steps come on one stream; a step's begin behind its STEP.
      for (const line of said.split(/(?<=\n)/)) {
        step = /^(?:\[\d+\/\d+\] )?STEP \d+\/\d+: /.test(line) ? line : step
        work.log.write(line, step)
      }
    },
  })
  if (run.exitCode !== 0) throw failure(work, run, step)
  return idIn(join(folder, 'id'))
}

function buildWords(
  { storage, folder }: Place,
  work: BackendWork,
  secrets: Awaited<ReturnType<typeof writeSecrets>>,
): readonly string[] {
  // Where cgroups of both versions are mounted, crun refuses to start.
  const runc = findProgram('runc')
  const { target } = work.recipe
  const files = { '--file': 'Dockerfile', '--ignorefile': 'ignore', '--iidfile': 'id' }
  return [
    ...storage,
    'build-using-dockerfile',
    ...Object.entries(files).flatMap(([option, name]) => [option, join(folder, name)]),
    ...(runc === null ? [] : ['--runtime', runc]),
    '--force-rm',
    '--pull=false',
    '--layers',
    `--timestamp=${work.sourceTime}`,
    ...(work.noCache ? ['--no-cache'] : []),
    ...(target === null ? [] : ['--target', target]),
    ...Object.entries(buildArguments(work)).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
    ...secrets.flatMap(({ id, file }) => ['--secret', `id=${id},src=${file}`]),
    '-',
  ]
}

async function push(
  { storage, folder }: Place,
  work: BackendWork,
  id: Digest,
  op: Pick<Op, 'signal'>,
): Promise<AsyncIterable<Uint8Array>> {
  const image = join(folder, 'image')
  // Of what it can write this alone leaves layers as they are; its OCI layouts have them compressed.
  const words = ['push', '--quiet', '--disable-compression', '--format', 'oci', id, `dir:${image}`]
  const run = await runBuildah([...storage, ...words], { op })
  if (run.exitCode !== 0) throw failure(work, run, 'push')
  return layoutArchive(image)
}

const tidied =
  ({ storage, folder }: Place, { superseded }: BackendWork, id: Digest): MadeImage['tidy'] =>
  async ({ everything }, op) => {
    const unwanted = everything ? id : superseded
    if (unwanted !== null && (everything ? superseded : id) !== unwanted)
      await runBuildah([...storage, 'rmi', unwanted], { op })
    await rm(folder, { recursive: true, force: true })
    return everything ? null : id
  }

/** Only root may read them, and they go with the folder of the build. */
async function writeSecrets(folder: string, { secrets }: BackendWork) {
  const written: { readonly id: string; readonly file: string }[] = []
  for (const [id, read] of secrets) {
    const file = join(folder, `secret-${written.length}`)
    await writeFile(file, await read(), { mode: 0o600 })
    written.push({ id, file })
  }
  return written
}

async function idIn(file: string): Promise<Digest> {
  const text = (await readFile(file, 'utf8')).trim()
  const id = text.startsWith('sha256:') ? text : `sha256:${text}`
  if (isDigest(id)) return id
  throw new BasaltError('build.failed', { message: `buildah gave "${text}" for the id of an image` })
}

function failure(work: BackendWork, { stderr, exitCode }: BuildahRun, step: string): BasaltError {
  const { dockerfile: file } = work.files
  const said = (
    stderr
      .trim()
      .split('\n')
      .findLast((line) => /^(?:Error|error)/.test(line)) ?? stderr.trim()
  )
    .replace(/^(?:Error:|error) /, '')
    .replace(/^(?:error )?building at STEP ".*?": (?=while|copying|exit|checking|$)/s, '')
  if (saysDiskFull(stderr)) return buildDiskFull(said)
  const syntax = syntaxFailure(file, said)
  if (syntax !== null) return syntax
  if (/^(?:\[\d+\/\d+\] )?STEP /.test(step)) {
    const lines = work.log.last(21, step).filter((line) => !/^(?:\[\d+\/\d+\] )?STEP |^[Ee]rror/.test(line))
    return stepFailure(file, buildahStep(step, work.dockerfile), said, lines)
  }
  return new BasaltError('build.failed', {
    message: `${file}: buildah could not build it: ${said || `exit code ${exitCode}`}`,
    remedy: 'See the output above, and build again: basalt build',
    details: { said },
  })
}
