import { createServer } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Login } from '../../builder.ts'
import { type SyncedFolder, sendFolder } from './file-sync.ts'
import { answerCall, type GrpcMethod, GrpcNotFound } from './grpc-stream.ts'
import { bytesField, readFields, varintField } from './protobuf.ts'

/** What BuildKit may ask of whoever builds. */
export interface SessionOffer {
  /** By name: `context`, `dockerfile`. */
  readonly folders: ReadonlyMap<string, SyncedFolder>
  /** By id. They are read when a step asks for one, and kept nowhere. */
  readonly secrets: ReadonlyMap<string, () => Promise<Buffer>>
  /** By the host of a registry that a base is pulled from. */
  readonly login: (host: string) => Promise<Login | null>
}

export interface Session {
  readonly methods: readonly string[]
  /** Serves BuildKit on a connection that was handed over by `POST /session`. */
  serve(connection: Duplex): void
  /** The first failure of ours: BuildKit tells it in its own words, or hangs up. */
  failure(): unknown
  close(): void
}

/**
 * The client's half of a BuildKit session (moby/buildkit, session/): a gRPC server at the end of a connection that the
 * client opened. It offers nothing but what this build needs: no other folder, no agent.
 */
export function createSession(offer: SessionOffer): Session {
  let failure: unknown
  const remembering =
    (method: GrpcMethod): GrpcMethod =>
    async (call) => {
      try {
        await method(call)
      } catch (cause) {
        failure ??= cause
        throw cause
      }
    }
  const methods = new Map<string, GrpcMethod>([
    ['/grpc.health.v1.Health/Check', (call) => answer(call, () => varintField(1, serving))],
    ['/moby.filesync.v1.FileSync/DiffCopy', remembering((call) => syncFolder(call, offer))],
    ['/moby.filesync.v1.Auth/Credentials', (call) => answer(call, (asked) => credentialsOf(asked, offer))],
    [
      '/moby.buildkit.secrets.v1.Secrets/GetSecret',
      (call) => answer(call, (asked) => secretOf(asked, offer)),
    ],
  ])
  const server = createServer()
  const connections: Duplex[] = []
  server.on('stream', (stream, headers) => void answerCall(stream, headers, methods))
  server.on('sessionError', () => {})
  return {
    methods: [...methods.keys()],
    serve(connection) {
      connection.on('error', () => {})
      connections.push(connection)
      server.emit('connection', connection)
    },
    failure: () => failure,
    close() {
      for (const connection of connections) connection.destroy()
    },
  }
}

/** Of grpc.health.v1. */
const serving = 1

type Call = Parameters<GrpcMethod>[0]

/** A call of one message each way. */
async function answer(call: Call, reply: (asked: Buffer) => Buffer | Promise<Buffer>): Promise<void> {
  for await (const message of call.messages()) return call.send(await reply(message))
}

async function syncFolder(call: Call, { folders }: SessionOffer): Promise<void> {
  const name = String(call.metadata['dir-name'] ?? '')
  const folder = folders.get(name)
  if (folder === undefined) throw new GrpcNotFound(`no folder ${name} is offered`)
  await sendFolder(call, folder)
}

/** Nobody who is logged in is an empty answer. */
async function credentialsOf(asked: Buffer, { login }: SessionOffer): Promise<Buffer> {
  const found = await login(firstText(asked))
  return found === null
    ? Buffer.alloc(0)
    : Buffer.concat([bytesField(1, found.user), bytesField(2, found.secret)])
}

/** Both calls ask by one text. */
function firstText(message: Buffer): string {
  let text = ''
  for (const field of readFields(message))
    if (field.kind === 'bytes' && field.number === 1) text = field.value.toString()
  return text
}

async function secretOf(asked: Buffer, { secrets }: SessionOffer): Promise<Buffer> {
  const id = firstText(asked)
  const secret = secrets.get(id)
  // BuildKit takes "not found" for a secret that is not required.
  if (secret === undefined) throw new GrpcNotFound(`secret ${id} not found`)
  return bytesField(1, await secret())
}
