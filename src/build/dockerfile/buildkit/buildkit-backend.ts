import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { Backend, BackendWork, MadeImage, PinnedPlace } from '../backend.ts'
import { registryOfHost } from '../base-logins.ts'
import { buildQuery, type Engine, followBuild, madeImage, startBuild } from '../engine/engine-build.ts'
import type { EngineImages } from '../engine/engine-images.ts'
import { replaceImages } from '../parse/parse-dockerfile.ts'
import { pinnedReference } from '../pinned-reference.ts'
import { stepFailure, stepOfVertex } from '../step-failure.ts'
import type { SyncedFolder } from './file-sync.ts'
import { createHolds, type Holds } from './holds.ts'
import { createSession, type Session } from './session.ts'
import { createVertexLog } from './vertex-log.ts'

/** BuildKit inside a Docker Engine: it takes what it lacks of the context over a session, and knows secrets. */
export function buildkitBackend(engine: Engine): Backend {
  const holds = createHolds()
  return {
    name: 'buildkit',
    version: engine.facts.version,
    findLocal: (reference, op) => engine.images.find(reference, op),
    build: (work, op) => build(engine, holds, work, op),
  }
}

const dockerfileName = 'Dockerfile'

async function build(engine: Engine, holds: Holds, work: BackendWork, op: Op): Promise<MadeImage> {
  const { images } = engine
  const local = work.bases.filter(({ onlyHere }) => onlyHere)
  for (const base of local) holds.hold(nameOf(base))
  try {
    for (const base of local) {
      const { repository, tag } = localName(base)
      await images.tag(base.digest, repository, tag, op)
      work.log.replace(`docker.io/${repository}:${tag}`, base.reference)
      work.log.replace(`${repository}:${tag}`, base.reference)
    }
    const session = createSession({
      folders: await foldersOf(work),
      secrets: work.secrets,
      login: (host) => work.findLogin(registryOfHost(host), op.signal),
    })
    const id = await solve(engine, work, session, op).finally(() => session.close())
    holds.hold(id)
    return madeImage(id, engine, async (_, abort) => {
      // What BuildKit needs for the next build is in its own cache.
      if (holds.release(id)) await images.removeNameless(id, abort)
      return null
    })
  } finally {
    const abort = { signal: AbortSignal.timeout(cleanupMs) }
    for (const base of local)
      if (holds.release(nameOf(base))) await removeName(base, images, abort).catch(() => {})
  }
}

const cleanupMs = 10_000

/** The last name of an image stays: with it the Engine would remove the image, which basalt.lock pins. */
async function removeName(base: PinnedPlace, images: EngineImages, abort: Pick<Op, 'signal'>): Promise<void> {
  const name = nameOf(base)
  const others = (await images.find(base.digest, abort))?.tags.filter((tag) => tag !== name) ?? []
  if (others.length > 0) await images.untag(name, abort)
}

async function solve(engine: Engine, work: BackendWork, session: Session, op: Op) {
  const { client, facts } = engine
  const uuid = randomUUID().replaceAll('-', '')
  const connection = await client.hijack(
    {
      method: 'POST',
      path: `${facts.prefix}/session`,
      headers: {
        connection: 'Upgrade',
        upgrade: 'h2c',
        'x-docker-expose-session-uuid': uuid,
        'x-docker-expose-session-name': basename(work.files.root),
        'x-docker-expose-session-sharedkey': work.files.sharedKey,
        'x-docker-expose-session-grpc-method': [...session.methods],
      },
      purpose: 'a session with BuildKit could not be opened',
    },
    op,
  )
  session.serve(connection)
  const answer = await startBuild(
    engine,
    work,
    {
      method: 'POST',
      path: `${facts.prefix}/build`,
      query: {
        ...buildQuery(work),
        version: '2',
        remote: 'client-session',
        session: uuid,
        buildid: uuid,
        dockerfile: dockerfileName,
      },
      purpose: `${work.service} could not be built`,
    },
    op,
  )
  const vertexes = createVertexLog(work.log)
  return followBuild(
    answer,
    work,
    engine,
    op,
    ({ id, aux }) => {
      if (id === 'moby.buildkit.trace' && typeof aux === 'string') vertexes.show(Buffer.from(aux, 'base64'))
    },
    (said) => explain(said, work, session, vertexes.failed()),
  )
}

function explain(
  said: string,
  work: BackendWork,
  session: Session,
  failed: ReturnType<ReturnType<typeof createVertexLog>['failed']>,
): BasaltError {
  const failure = session.failure()
  if (failure instanceof BasaltError) return failure
  const step = failed === null ? null : stepOfVertex(failed.name, work.dockerfile)
  if (failed !== null && (step !== null || failed.lastLines.length > 0))
    return stepFailure(work.files.dockerfile, step, plainly(failed.error), failed.lastLines)
  return new BasaltError('build.failed', {
    message: `${work.files.dockerfile}: BuildKit could not build it: ${plainly(said)}`,
    remedy: 'See the output above, and build again: basalt build',
    details: { said },
  })
}

/** BuildKit nests what failed in how it came to it. */
const plainly = (said: string): string =>
  said
    .replace(/^failed to solve(?: with frontend \S+)?: /, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/^failed to solve with frontend \S+: /, '')
    .replace(
      /^executor failed running \[(.*)\]: (?:buildkit-)?(?:runc did not terminate sucessfully|runc: )?/s,
      '',
    )
    .trim()

async function foldersOf(work: BackendWork): Promise<ReadonlyMap<string, SyncedFolder>> {
  const { files, sourceTime, bases, dockerfile } = work
  const hashes = await files.hashes()
  const seconds = BigInt(sourceTime) * 1_000_000_000n
  const text = replaceImages(
    dockerfile.text,
    bases.map((base) => ({ ...base, by: base.onlyHere ? nameOf(base) : pinnedReference(base) })),
  )
  // Its own .dockerignore, so that BuildKit does not apply the context's to what was chosen already.
  const made = [
    { path: dockerfileName, kind: 'made-up', mode: 0o644, content: Buffer.from(text) },
    { path: `${dockerfileName}.dockerignore`, kind: 'made-up', mode: 0o644, content: Buffer.from('#\n') },
  ] as const
  return new Map<string, SyncedFolder>([
    ['context', { files: files.entries, timeOf: (file) => seconds + fraction(hashes.get(file.path)) }],
    // A new time for each build: it is small, and never to be taken for the last one's.
    ['dockerfile', { files: made, timeOf: () => BigInt(Date.now()) * 1_000_000n }],
  ])
}

/**
 * Below a second, from the content: all files of a context have one time, so that layers, which keep whole seconds, do
 * not depend on the clone; but whoever has a file of the same size from the build before must see that it is another.
 */
const fraction = (hash: string | undefined): bigint =>
  hash === undefined ? 0n : BigInt(`0x${hash.slice(0, 15)}`) % 1_000_000_000n

/** BuildKit finds no image by its id: for the time of a build it gets a name that says the id. */
const localName = ({ digest }: PinnedPlace) => ({
  repository: 'basalt.invalid/base',
  tag: digest.slice('sha256:'.length),
})

function nameOf(base: PinnedPlace): string {
  const { repository, tag } = localName(base)
  return `${repository}:${tag}`
}
