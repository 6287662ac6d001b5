import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Digest } from '../../../core/ids.ts'
import { isDigest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { writeTar } from '../../../util/tar-writer.ts'
import { type Backend, type BackendWork, buildArguments, type MadeImage } from '../backend.ts'
import { contextMembers } from '../context/build-context.ts'
import { engineDiskFull, isDiskFull } from '../engine/engine-errors.ts'
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

async function build(storage: string, work: BackendWork, op: Op): Promise<MadeImage> {
  await mkdir(storage, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(storage, 'build-'))
  const global = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')]
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const dockerfile = join(folder, 'Dockerfile')
    const text = replaceImages(
      work.dockerfile.text,
      work.bases
        .filter(({ stage }) => stage !== null)
        .map((base) => ({ ...base, by: pinnedReference(base) })),
    )
    await writeFile(dockerfile, text)
    await writeFile(join(folder, 'ignore'), '')
    const secrets = await writeSecrets(folder, work)
    const idFile = join(folder, 'id')
    // Where cgroups of both versions are mounted, crun refuses to start.
    const runc = findProgram('runc')
    const args = [
      ...global,
      'build-using-dockerfile',
      ...['--file', dockerfile, '--ignorefile', join(folder, 'ignore'), '--iidfile', idFile],
      ...(runc === null ? [] : ['--runtime', runc]),
      ...['--force-rm', '--timestamp', String(work.sourceTime), '--pull=false'],
      '--layers',
      ...(work.noCache ? ['--no-cache'] : []),
      ...(work.recipe.target === null ? [] : ['--target', work.recipe.target]),
      ...Object.entries(buildArguments(work)).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
      ...secrets.flatMap(({ id, file }) => ['--secret', `id=${id},src=${file}`]),
      '-',
    ]
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
    const id = await idIn(idFile)
    return {
      id,
      archive: async (abort) => {
        const image = join(folder, 'image')
        // Of what it can write this alone leaves layers as they are; its OCI layouts have them compressed.
        const words = ['push', '--quiet', '--disable-compression', '--format', 'oci', id, `dir:${image}`]
        const push = await runBuildah([...global, ...words], { op: abort })
        if (push.exitCode !== 0) throw failure(work, push, 'push')
        return layoutArchive(image)
      },
      async tidy({ everything }, abort) {
        if (everything && id !== work.superseded) await runBuildah([...global, 'rmi', id], { op: abort })
        else if (work.superseded !== null && work.superseded !== id)
          await runBuildah([...global, 'rmi', work.superseded], { op: abort })
        await remove()
        return everything ? null : id
      },
    }
  } catch (cause) {
    await remove()
    throw cause
  }
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
  if (isDiskFull(stderr)) return engineDiskFull(said)
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
