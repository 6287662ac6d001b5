import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'

/** The server's side of one gRPC call (grpc/doc/PROTOCOL-HTTP2.md), without compression. */
export interface GrpcCall {
  /** What the caller sent as metadata. */
  readonly metadata: Readonly<Record<string, string | readonly string[] | undefined>>
  messages(): AsyncIterable<Buffer>
  /** Resolves when there is room for more. */
  send(message: Buffer): Promise<void>
}

export type GrpcMethod = (call: GrpcCall) => Promise<void>

const statusOk = '0'
const statusUnknown = '2'
const statusNotFound = '5'
const statusUnimplemented = '12'

/** Thrown by a method: the thing that was asked for is not there. */
export class GrpcNotFound extends Error {}

/** Answers one call: by the method of its path, or with "unimplemented". Never rejects. */
export async function answerCall(
  stream: ServerHttp2Stream,
  headers: GrpcCall['metadata'],
  methods: ReadonlyMap<string, GrpcMethod>,
): Promise<void> {
  /** Shared by all who wait for it. */
  let room: Promise<void> | undefined
  let trailers: Record<string, string> = { 'grpc-status': statusOk }
  stream.on('error', () => {})
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  try {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    const method = methods.get(String(headers[':path']))
    if (method === undefined)
      trailers = { 'grpc-status': statusUnimplemented, 'grpc-message': 'not offered by this session' }
    else
      await method({
        metadata: headers,
        messages: () => messagesOf(stream),
        send: async (message) => {
          if (stream.destroyed) return
          if (!stream.write(framed(message)))
            await (room ??= roomIn(stream).finally(() => (room = undefined)))
        },
      })
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    trailers = {
      'grpc-status': cause instanceof GrpcNotFound ? statusNotFound : statusUnknown,
      'grpc-message': encodeURIComponent(message),
    }
  }
  if (!stream.destroyed) stream.end()
}

async function roomIn(stream: ServerHttp2Stream): Promise<void> {
  const done = new AbortController()
  const { signal } = done
  await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })])
  done.abort()
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.byteLength, 1)
  return Buffer.concat([head, message])
}

async function* messagesOf(stream: ServerHttp2Stream): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  // Whoever has heard enough still has something to say on it.
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    while (rest.length >= 5) {
      const end = 5 + rest.readUInt32BE(1)
      if (rest.length < end) break
      yield rest.subarray(5, end)
      rest = rest.subarray(end)
    }
  }
}
