import { Readable } from 'node:stream'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { TarEntry } from '../../../util/tar-entry.ts'
import { writeTar } from '../../../util/tar-writer.ts'
import type { Backend, BackendWork, MadeImage } from '../backend.ts'
import { loginHeader } from '../base-logins.ts'
import { contextMembers, freeName } from '../context/build-context.ts'
import type { ContextEntry } from '../context/context-walk.ts'
import { readUnchanged } from '../context/read-unchanged.ts'
import { replaceImages } from '../parse/parse-dockerfile.ts'
import { pinnedReference } from '../pinned-reference.ts'
import { stepFailure, stepOfNumber } from '../step-failure.ts'
import { buildQuery, type Engine, followBuild, madeImage, startBuild } from './engine-build.ts'

/** The builder that Engines had before BuildKit; Podman's socket answers in its language too. */
export function classicBackend(engine: Engine): Backend {
  return {
    name: 'classic',
    version: engine.facts.version,
    findLocal: (reference, op) => engine.images.find(reference, op),
    build: (work, op) => build(engine, work, op),
  }
}

async function build(engine: Engine, work: BackendWork, op: Op): Promise<MadeImage> {
  const { facts, images } = engine
  if (work.secrets.size > 0)
    throw new BasaltError('build.failed', {
      message: `${work.files.dockerfile}: the classic builder of Docker ${facts.version} has no secrets`,
      remedy:
        'Build with BuildKit or buildah: unset BASALT_DOCKERFILE_BUILDER, or set it to one of them, then: basalt server restart',
    })
  const { members, dockerfile } = archiveOf(work)
  const query = { ...buildQuery(work), dockerfile, rm: '1', forcerm: '1' }
  const before = work.noCache ? null : work.superseded
  const answer = await startBuild(
    engine,
    work,
    {
      method: 'POST',
      path: `${facts.prefix}/build`,
      query,
      headers: { 'content-type': 'application/x-tar', ...(await loginHeader(work, op.signal)) },
      body: Readable.from(writeTar(members), { objectMode: false }),
      purpose: `${work.service} could not be built`,
    },
    op,
  )
  let step = 0
  const id = await followBuild(
    answer,
    work,
    engine,
    op,
    ({ stream, status, id: layer, progress }) => {
      if (stream !== undefined) {
        step = Number(/^Step (\d+)\/\d+ : /.exec(stream)?.[1] ?? step)
        work.log.write(stream, `step ${step}`)
      } else if (status !== undefined && progress === undefined)
        work.log.line(layer === undefined ? status : `${layer}: ${status}`)
    },
    (said) =>
      stepFailure(
        work.files.dockerfile,
        stepOfNumber(step, work.dockerfile, true),
        said,
        work.log
          .last(21, `step ${step}`)
          .filter((line) => !/^Step \d+\/\d+ : | ---> |^Removing intermediate container /.test(line)),
      ),
  )
  return madeImage(id, engine, async ({ everything }, abort) => {
    if (everything) {
      if (id !== work.superseded) await images.removeNameless(id, abort)
      return null
    }
    // Its images are its cache: the newest stays without a name, and goes when another takes its place.
    if (before !== null && before !== id) await images.removeNameless(before, abort)
    return id
  })
}

/**
 * The context, and the Dockerfile with its bases pinned under a name of its own. The Engine removes that before the first
 * step when .dockerignore says so, which is how Docker's own client hands over a Dockerfile from elsewhere; without
 * anything to pin the Dockerfile goes as it is.
 */
function archiveOf(work: BackendWork): { members: readonly TarEntry[]; dockerfile: string } {
  const { files, bases, sourceTime } = work
  const text = replaceImages(
    work.dockerfile.text,
    // The frontend is BuildKit's affair.
    bases.filter(({ stage }) => stage !== null).map((base) => ({ ...base, by: pinnedReference(base) })),
  )
  const name = freeName(files, '.basalt-dockerfile')
  const own = files.entries.find(({ path }) => path === '.dockerignore')
  const kept = own === undefined ? '.dockerignore\n' : `${textOf(own)}\n`
  const made = (path: string, content: string): TarEntry => ({
    path,
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: sourceTime,
    content: Buffer.from(content),
  })
  return {
    members: [
      ...contextMembers(files, sourceTime, new Set(['.dockerignore'])),
      made(name, text),
      made('.dockerignore', `${kept}/${name}\n`),
    ],
    dockerfile: name,
  }
}

const textOf = (entry: ContextEntry): string =>
  Buffer.concat([...readUnchanged(entry)].map((chunk) => Buffer.from(chunk))).toString()
