import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Op } from '../../core/op.ts'
import type { DockerfileRecipe } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { type Image, loadImage } from '../../images/image.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import { diskError } from '../../util/disk-error.ts'
import { removeLeftovers } from '../../util/remove-leftovers.ts'
import { temporaryName } from '../../util/temporary-name.ts'
import type { BuildContext, Builder, BuiltImage, FindLogin } from '../builder.ts'
import { attach, describe } from '../referrer.ts'
import {
  inputKey,
  logAttachment,
  provenance,
  type Reproduction,
  reproductionAttachment,
} from './attachments.ts'
import type { Backend, BackendName, BackendWork, PinnedPlace } from './backend.ts'
import { gradeOf } from './build-grade.ts'
import { type BuildLog, createBuildLog } from './build-log.ts'
import { type BuildRecord, isStored, readRecord, writeRecord } from './build-record.ts'
import { dockerfileBuilderVersion } from './builder-version.ts'
import { type BuildFiles, openContext } from './context/build-context.ts'
import { type Dockerfile, imagesOf, parseDockerfile, targetStage } from './parse/parse-dockerfile.ts'
import {
  type DigestPlace,
  findOnlyHere,
  type ImagePins,
  type ResolveImage,
  resolveBases,
} from './resolve-bases.ts'
import { readSecrets, secretsFingerprint } from './secrets.ts'
import { takeImage } from './take-image.ts'

export interface DockerfileBuilderPorts {
  readonly store: ContentStore
  /** May be deleted at any time: it costs time only. */
  readonly cacheFolder: string
  readonly pins: ImagePins
  readonly resolveImage: ResolveImage | null
  /** What builds; asked for only when something has to be built. */
  readonly openBackend: (op: Pick<Op, 'signal'>) => Promise<Backend>
  readonly findLogin: FindLogin
  /** What the machine's settings ask for; null: whatever there is. */
  readonly wanted: BackendName | null
  readonly contextLimitBytes: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Makes images of Dockerfiles by what the machine has for that. Nothing is asked of it when nothing changed. */
export function createDockerfileBuilder(ports: DockerfileBuilderPorts): Builder<DockerfileRecipe> {
  let opened: Promise<Backend> | undefined
  let tidied: Promise<unknown> | undefined
  const turns = new Map<string, Promise<unknown>>()
  return {
    name: 'dockerfile',
    version: dockerfileBuilderVersion,
    async build(recipe, context, op) {
      await (tidied ??= removeLeftovers(ports.cacheFolder))
      const backend = () => (opened ??= ports.openBackend(op))
      const place = placeOf(recipe, context)
      // Two services of one recipe are one build.
      const before = turns.get(place) ?? Promise.resolve()
      const own = before.catch(() => {}).then(() => build({ recipe, context, backend, ports, place }, op))
      turns.set(place, own)
      try {
        return await own
      } catch (cause) {
        throw translated(cause, context, op)
      }
    },
  }
}

const placeOf = ({ context: path, dockerfile, target, args }: DockerfileRecipe, { folder }: BuildContext) =>
  createHash('sha256')
    .update(JSON.stringify([folder, path, dockerfile, target, args]))
    .digest('hex')

interface Request {
  readonly recipe: DockerfileRecipe
  readonly context: BuildContext
  readonly backend: () => Promise<Backend>
  readonly ports: DockerfileBuilderPorts
  readonly place: string
}

/** A request with all that goes into the build. */
interface Inputs extends Request {
  readonly files: BuildFiles
  readonly dockerfile: Dockerfile
  readonly target: number
  readonly bases: readonly DigestPlace[]
  readonly secrets: ReadonlyMap<string, Buffer>
  readonly key: string
}

async function build(request: Request, op: Op): Promise<BuiltImage> {
  const { ports, context } = request
  const recordFile = join(ports.cacheFolder, `build-${request.place}.json`)
  const inputs = await readInputs(request, op)
  const record = await readRecord(recordFile)
  const isUnchanged = record !== null && record.key === inputs.key && (await isStored(record, ports.store))
  let current = isUnchanged ? record : await buildAnew(inputs, record, op)
  if (current !== record) await writeRecord(recordFile, current)
  if (context.check === true) {
    current = await check(inputs, current, op)
    await writeRecord(recordFile, current)
  }
  const { image, sizeBytes, program, version, grade, reasons, log } = current
  const built = { image, sizeBytes, cached: isUnchanged }
  op.notify?.({
    code: 'build.done',
    message: `${context.service}: ${image.slice(0, 19)}${isUnchanged ? ' (unchanged)' : ''}, ${grade}`,
    data: { service: context.service, ...built, program, grade },
  })
  return { ...built, made: { program, version, grade, reasons, log } }
}

async function readInputs(request: Request, op: Op): Promise<Inputs> {
  const { recipe, context, ports, backend } = request
  const files = await openContext(context.folder, recipe, ports, op.signal)
  const dockerfile = parseDockerfile(files.dockerfile, files.dockerfileText, recipe.args)
  const target = targetStage(files.dockerfile, dockerfile, recipe.target)
  const places = imagesOf(dockerfile, target)
  const basePorts = { pins: ports.pins, resolveImage: ports.resolveImage, backend }
  const [bases, secrets] = await Promise.all([
    resolveBases(files.dockerfile, context.service, places, basePorts, op),
    readSecrets(context.folder, recipe.secrets),
  ])
  const key = inputKey({
    builderVersion: dockerfileBuilderVersion,
    wanted: ports.wanted,
    context: files.digest,
    dockerfile: files.dockerfileText,
    target: recipe.target,
    args: recipe.args,
    bases: bases.map(({ reference, digest }) => [reference, digest]),
    sourceTime: context.sourceTime,
    secrets: await secretsFingerprint(secrets, join(ports.cacheFolder, 'secrets.key')),
  })
  return { ...request, files, dockerfile, target, bases, secrets, key }
}

async function buildAnew(inputs: Inputs, record: BuildRecord | null, op: Op): Promise<BuildRecord> {
  const { recipe, context, files, ports } = inputs
  const backend = await inputs.backend()
  const bases = await findOnlyHere(inputs.bases, backend, op)
  const superseded = record?.program === backend.name ? record.left : null
  const log = createBuildLog(context.service, op)
  const made = await backend.build(workOf(inputs, bases, log, { noCache: false, superseded }), op)
  let everything = true
  let left: string | null = null
  try {
    const { image, sizeBytes } = await takeImage(files.dockerfile, made, ports.store, op)
    const text = Buffer.from(log.text())
    const { digest: logDigest } = await ports.store.put(text)
    const grading = gradeOf(inputs.dockerfile, inputs.target, bases)
    const facts = { recipe, context, files, bases, grading, log: logDigest }
    const program = { program: backend.name, version: backend.version }
    await attachAll(inputs, image.digest, [
      provenance({ ...facts, ...program }, image.digest),
      logAttachment(text, backend.name),
    ])
    everything = false
    left = await made.tidy({ everything }, op).catch(() => null)
    const result = { key: inputs.key, image: image.digest, sizeBytes, log: logDigest, left }
    return { ...result, ...program, grade: grading.grade, reasons: [...grading.reasons] }
  } finally {
    if (everything) await made.tidy({ everything }, cleanup()).catch(() => {})
  }
}

const cleanup = (): Pick<Op, 'signal'> => ({ signal: AbortSignal.timeout(30_000) })

function workOf(
  { recipe, context, files, dockerfile, secrets, ports }: Inputs,
  bases: readonly PinnedPlace[],
  log: BuildLog,
  options: Pick<BackendWork, 'noCache' | 'superseded'>,
): BackendWork {
  for (const secret of secrets.values()) log.hide(secret)
  return {
    service: context.service,
    recipe,
    files,
    dockerfile,
    bases,
    sourceTime: context.sourceTime,
    secrets: new Map([...secrets].map(([id, bytes]) => [id, async () => bytes])),
    findLogin: ports.findLogin,
    log,
    ...options,
  }
}

async function attachAll(
  { ports: { store }, context }: Inputs,
  image: BuildRecord['image'],
  attachments: readonly Parameters<typeof attach>[1][],
): Promise<void> {
  const { mediaType } = JSON.parse((await store.read(image)).toString()) as { readonly mediaType: string }
  const subject = { ...describe(mediaType, await store.read(image)), digest: image }
  const created = new Date(context.sourceTime * 1000).toISOString().replace('.000Z', 'Z')
  for (const attachment of attachments) await attach(subject, attachment, store, created)
}

/** Builds once more, without anything that was kept, into a store that is thrown away. */
async function check(inputs: Inputs, record: BuildRecord, op: Op): Promise<BuildRecord> {
  const { ports, files, context } = inputs
  const backend = await inputs.backend()
  const bases = await findOnlyHere(inputs.bases, backend, op)
  const log = createBuildLog(context.service, op)
  const folder = join(ports.cacheFolder, `check-${temporaryName()}`)
  const made = await backend.build(workOf(inputs, bases, log, { noCache: true, superseded: record.left }), op)
  try {
    const again = await takeImage(files.dockerfile, made, await openContentStore(folder), op)
    const reproduction = await compare(record, again.image, ports.store)
    await attachAll(inputs, record.image, [
      reproductionAttachment(reproduction, backend.name, backend.version),
    ])
    const same = reproduction.image === reproduction.again
    op.notify?.({
      code: 'build.checked',
      message: `${context.service}: built twice, ${same ? 'the same bytes' : differenceOf(reproduction)}`,
      data: { service: context.service, reproduction },
    })
    if (same) return { ...record, grade: 'bit-reproducible', reasons: [] }
    const honest = gradeOf(inputs.dockerfile, inputs.target, bases)
    return {
      ...record,
      grade: honest.grade,
      reasons: [`built twice: ${differenceOf(reproduction)}`, ...honest.reasons],
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
    await made.tidy({ everything: true }, cleanup()).catch(() => {})
  }
}

async function compare({ image }: BuildRecord, again: Image, store: ContentStore): Promise<Reproduction> {
  const layers = (await loadImage(store, image)).layers.map(({ diffId }) => diffId)
  const others = new Set(again.layers.map(({ diffId }) => diffId))
  return { image, again: again.digest, differingLayers: layers.filter((layer) => !others.has(layer)) }
}

const differenceOf = ({ differingLayers }: Reproduction): string =>
  differingLayers.length === 0
    ? 'the same layers, but other times in the configuration'
    : differingLayers.length === 1
      ? '1 layer differs'
      : `${differingLayers.length} layers differ`

/** The border to the file system: what it says is told in our words. */
function translated(cause: unknown, { service }: BuildContext, op: Op): unknown {
  if (cause instanceof BasaltError) return cause
  if (op.signal.aborted)
    return new BasaltError('request.interrupted', {
      message: `the build of ${service} was interrupted`,
      cause,
    })
  const { code, path, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskError(path ?? service, cause)
  if (typeof code !== 'string') return cause
  return new BasaltError('build.failed', {
    message: `${service} could not be built: ${message}`,
    details: { service },
    cause,
  })
}
