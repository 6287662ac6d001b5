import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type Dockerode from 'dockerode'
import type { z } from 'zod'
import { BasaltError } from '../../../errors.ts'
import { engineTooOld, isEngineTooOld } from '../../../util/docker-engine-errors.ts'
import type { ContainerExit, DockerEngine, EngineFacts } from './docker-engine.ts'
import { engineError, engineRefused, hasStatus } from './engine-errors.ts'
import {
  containerSchema,
  containersSchema,
  eventSchema,
  execStateSchema,
  infoSchema,
  networkSchema,
  versionSchema,
} from './engine-schemas.ts'
import { logLines } from './log-frames.ts'

type Ask = <Result>(purpose: string, question: () => Promise<Result>) => Promise<Result>

/** An Engine over its unix socket. Nothing is asked before the first call. */
export async function openDockerEngine(socketPath: string): Promise<DockerEngine> {
  // Late, as it takes a third of a second, and only who uses the target needs it.
  const { default: Docker } = await import('dockerode')
  const docker = new Docker({ socketPath })
  const ask: Ask = async (purpose, question) => {
    try {
      return await question()
    } catch (cause) {
      throw engineError(socketPath, purpose, cause)
    }
  }
  return {
    socketPath,
    check: () => ask('its version was asked for', () => factsOf(docker)),
    ...containerCalls(docker, ask),
    ...imageCalls(docker, ask),
    ...networkCalls(docker, ask),
    exits: (label, connected, signal) => exitsOf(docker, socketPath, label, connected, signal),
  }
}

async function factsOf(docker: Dockerode): Promise<EngineFacts> {
  const version = parse(versionSchema, await docker.version())
  if (isEngineTooOld(version.ApiVersion)) throw engineTooOld(version.Version, version.ApiVersion)
  const info = parse(infoSchema, await docker.info())
  return {
    version: version.Version,
    apiVersion: version.ApiVersion,
    liveRestore: info.LiveRestoreEnabled,
    cgroups: `${info.CgroupDriver}, cgroup v${info.CgroupVersion}`,
  }
}

type ContainerCalls = Pick<
  DockerEngine,
  'containers' | 'create' | 'start' | 'inspect' | 'kill' | 'remove' | 'run' | 'logs' | 'hasFile' | 'archive'
>

function containerCalls(docker: Dockerode, ask: Ask): ContainerCalls {
  return {
    containers: (label) =>
      ask('containers could not be listed', async () =>
        parse(containersSchema, await docker.listContainers({ all: true, filters: { label: [label] } })),
      ),
    create: (wish) =>
      ask(`${wish.name} could not be made`, async () => (await docker.createContainer(wish)).id),
    start: (id) => ask(`container ${id} could not be started`, () => docker.getContainer(id).start()),
    inspect: (id) =>
      absentAsNull(
        ask(`container ${id} could not be inspected`, async () =>
          parse(containerSchema, await docker.getContainer(id).inspect()),
        ),
      ),
    kill: (id, signal) =>
      // 409: it does not run any more.
      forgiving(
        [404, 409],
        ask(`${signal} could not be sent`, () => docker.getContainer(id).kill({ signal })),
      ),
    remove: (id) =>
      // 409: it is being removed already.
      forgiving(
        [404, 409],
        ask(`container ${id} could not be removed`, () =>
          docker.getContainer(id).remove({ force: true, v: true }),
        ),
      ),
    run: (id, command, timeoutMs) =>
      ask(`"${command.join(' ')}" could not be run inside`, () => runInside(docker, id, command, timeoutMs)),
    async *logs(id, { follow, tail, signal }) {
      const options = { stdout: true, stderr: true, timestamps: true, abortSignal: signal }
      const asked = { ...options, ...(tail === null ? {} : { tail }) }
      const frames = await ask(`the log of ${id} could not be read`, async () =>
        follow
          ? ((await docker.getContainer(id).logs({ ...asked, follow: true })) as Readable)
          : Readable.from([await docker.getContainer(id).logs({ ...asked, follow: false })]),
      )
      try {
        yield* logLines(frames)
      } catch (cause) {
        if (!signal.aborted) throw cause
      } finally {
        frames.destroy()
      }
    },
    hasFile: async (id, path) =>
      (await absentAsNull(
        ask(`${path} could not be looked for`, () => docker.getContainer(id).infoArchive({ path })),
      )) !== null,
    archive: (id, path) =>
      absentAsNull(
        ask(
          `${path} could not be read`,
          async () => (await docker.getContainer(id).getArchive({ path })) as Readable,
        ),
      ),
  }
}

async function runInside(
  docker: Dockerode,
  id: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ exitCode: number | null; output: string }> {
  const made = await docker
    .getContainer(id)
    .exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true })
  const stream = await made.start({ hijack: true, stdin: false })
  const chunks: Buffer[] = []
  docker.modem.demuxStream(
    stream,
    { write: (chunk: Buffer) => chunks.push(chunk) } as never,
    { write: (chunk: Buffer) => chunks.push(chunk) } as never,
  )
  const ended = await once(stream, 'end', { signal: AbortSignal.timeout(timeoutMs) }).then(
    () => true,
    () => false,
  )
  const state = parse(execStateSchema, await made.inspect())
  stream.destroy()
  const output = Buffer.concat(chunks).toString()
  if (ended) return { exitCode: state.ExitCode, output }
  // The Engine has no way to end it, and it would go on for ever.
  if (state.Pid > 0 && state.ExitCode === null) killQuietly(state.Pid)
  return { exitCode: null, output }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in the meantime.
  }
}

const loading = 'an image could not be loaded'

function imageCalls(
  docker: Dockerode,
  ask: Ask,
): Pick<DockerEngine, 'hasImage' | 'loadImage' | 'removeImage'> {
  return {
    hasImage: async (id) =>
      (await absentAsNull(
        ask(`image ${id} could not be looked for`, () => docker.getImage(id).inspect()),
      )) !== null,
    loadImage: (tar, signal) =>
      ask(loading, async () => {
        const answer = await docker.loadImage(tar, { quiet: true, abortSignal: signal })
        let said = ''
        for await (const chunk of answer) said += String(chunk)
        // A failure half-way comes in a stream that began as a success.
        const problem = /"error":"((?:[^"\\]|\\.)*)"/.exec(said)?.[1]
        if (problem !== undefined) throw engineRefused(loading, problem)
      }),
    removeImage: (id) =>
      forgiving(
        [404, 409],
        ask(`image ${id} could not be removed`, () => docker.getImage(id).remove()),
      ),
  }
}

function networkCalls(
  docker: Dockerode,
  ask: Ask,
): Pick<DockerEngine, 'network' | 'createNetwork' | 'removeNetwork'> {
  return {
    network: (name) =>
      absentAsNull(
        ask(`network ${name} could not be inspected`, async () =>
          parse(networkSchema, await docker.getNetwork(name).inspect()),
        ),
      ),
    createNetwork: (wish) =>
      ask(`network ${wish.Name} could not be made`, async () => {
        await docker.createNetwork(wish)
      }),
    removeNetwork: (name) =>
      forgiving(
        [404],
        ask(`network ${name} could not be removed`, () => docker.getNetwork(name).remove()),
      ),
  }
}

async function* exitsOf(
  docker: Dockerode,
  socketPath: string,
  label: string,
  connected: () => void,
  signal: AbortSignal,
): AsyncGenerator<ContainerExit> {
  try {
    const stream = await docker.getEvents({
      filters: { type: ['container'], event: ['die'], label: [label] },
      abortSignal: signal,
    })
    connected()
    for await (const line of createInterface({ input: stream })) {
      if (line === '') continue
      const { Actor } = parse(eventSchema, JSON.parse(line))
      const exitCode = Number(Actor.Attributes['exitCode'] ?? Number.NaN)
      yield { container: Actor.ID, exitCode: Number.isInteger(exitCode) ? exitCode : null }
    }
  } catch (cause) {
    if (!signal.aborted) throw engineError(socketPath, 'its events could not be followed', cause)
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.infer<Schema> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new BasaltError('docker.failed', {
    message: 'the Docker Engine gave an answer that Basalt does not understand',
    remedy: 'See which Engine it is: `basalt doctor`. Docker 20.10 and newer are supported.',
    details: { said: result.error.message },
    cause: result.error,
  })
}

const absentAsNull = <Result>(asked: Promise<Result>): Promise<Result | null> =>
  asked.catch((error: unknown) => {
    if (hasStatus(error, 404)) return null
    throw error
  })

async function forgiving(statuses: readonly number[], asked: Promise<unknown>): Promise<void> {
  await asked.catch((error: unknown) => {
    if (!hasStatus(error, ...statuses)) throw error
  })
}
