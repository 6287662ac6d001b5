import type { ContextEntry } from '../context/context-walk.ts'
import { readUnchanged } from '../context/read-unchanged.ts'
import type { GrpcCall } from './grpc-stream.ts'
import { bytesField, readFields, varintField } from './protobuf.ts'

/** A file to be sent: of the context, or made up. */
export type SyncedFile = ContextEntry | MadeUpFile

export interface MadeUpFile {
  readonly path: string
  readonly kind: 'made-up'
  readonly mode: number
  readonly content: Buffer
}

export interface SyncedFolder {
  /** Folders before what is in them, names in the order of their bytes. */
  readonly files: readonly SyncedFile[]
  /** Nanoseconds since the epoch. Whoever has a file of this size and time does not ask for it again. */
  readonly timeOf: (file: SyncedFile) => bigint
}

/** Of tonistiigi/fsutil, types/wire.proto. */
const packet = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const
/** Go's os.FileMode. */
const modeBits = { directory: 0x8000_0000, symlink: 0x0800_0000 } as const

/**
 * Sends a folder as `moby.filesync.v1.FileSync/DiffCopy` does (tonistiigi/fsutil, send.go): a list of all files; then
 * the contents of those that the other side asks for, which has the others from a build before.
 */
export async function sendFolder(call: GrpcCall, { files, timeOf }: SyncedFolder): Promise<void> {
  const send = (type: number, ...fields: readonly Buffer[]) =>
    call.send(Buffer.concat([varintField(1, type), ...fields]))
  // Both go at once: who is asked while still telling must not wait for an answer to its own list.
  const telling = (async () => {
    for (const file of files) await send(packet.stat, bytesField(2, statOf(file, timeOf(file))))
    await send(packet.stat)
  })()
  const answering = (async () => {
    for await (const message of call.messages()) {
      const { type, id, data } = readPacket(message)
      if (type === packet.finish) return send(packet.finish)
      if (type === packet.error) throw new RangeError(data.toString())
      if (type !== packet.request) continue
      const file = files[id]
      if (file === undefined) throw new RangeError(`no file has the number ${id}`)
      for (const chunk of contentOf(file)) await send(packet.data, varintField(3, id), bytesField(4, chunk))
      await send(packet.data, varintField(3, id))
    }
  })()
  await Promise.all([telling, answering])
}

/** Below the 4 MiB of a gRPC message; a copy, as what is sent may lie in a queue. */
function* contentOf(file: SyncedFile): Generator<Buffer> {
  if (file.kind === 'made-up') yield file.content
  else if (file.kind === 'file') for (const chunk of readUnchanged(file)) yield chunk
}

function statOf(file: SyncedFile, time: bigint): Buffer {
  const type = file.kind === 'directory' ? modeBits.directory : file.kind === 'symlink' ? modeBits.symlink : 0
  const size = file.kind === 'made-up' ? file.content.byteLength : file.kind === 'file' ? file.sizeBytes : 0
  return Buffer.concat([
    bytesField(1, file.path),
    varintField(2, (type | file.mode) >>> 0),
    varintField(5, size),
    varintField(6, time),
    ...(file.kind === 'symlink' ? [bytesField(7, file.target)] : []),
  ])
}

function readPacket(message: Buffer) {
  let type = 0
  let id = 0
  let data: Buffer = Buffer.alloc(0)
  for (const field of readFields(message)) {
    if (field.kind === 'varint' && field.number === 1) type = Number(field.value)
    if (field.kind === 'varint' && field.number === 3) id = Number(field.value)
    if (field.kind === 'bytes' && field.number === 4) data = field.value
  }
  return { type, id, data }
}
