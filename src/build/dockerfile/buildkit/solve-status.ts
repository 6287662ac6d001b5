import { readFields } from './protobuf.ts'

/** A step of a build, as BuildKit tells of it (moby/buildkit, api/services/control/control.proto). */
export interface Vertex {
  readonly digest: string
  /** `[build 2/3] RUN make` */
  readonly name: string
  readonly cached: boolean
  readonly started: boolean
  readonly completed: boolean
  readonly error: string
}

export interface SolveStatus {
  readonly vertexes: readonly Vertex[]
  readonly logs: readonly { readonly vertex: string; readonly text: Buffer }[]
}

/** A StatusResponse: `moby.buildkit.trace` in the Engine's answer to a build. */
export function readStatus(message: Buffer): SolveStatus {
  const vertexes: Vertex[] = []
  const logs: SolveStatus['logs'][number][] = []
  for (const field of readFields(message)) {
    if (field.kind !== 'bytes') continue
    if (field.number === 1) vertexes.push(readVertex(field.value))
    if (field.number === 3) logs.push(readLog(field.value))
  }
  return { vertexes, logs }
}

function readVertex(message: Buffer): Vertex {
  const found = { digest: '', name: '', cached: false, started: false, completed: false, error: '' }
  for (const { number, kind, value } of readFields(message)) {
    if (kind === 'varint') {
      if (number === 4) found.cached = value !== 0n
      continue
    }
    if (number === 1) found.digest = value.toString()
    if (number === 3) found.name = value.toString()
    if (number === 5) found.started = true
    if (number === 6) found.completed = true
    if (number === 7) found.error = value.toString()
  }
  return found
}

function readLog(message: Buffer): SolveStatus['logs'][number] {
  let vertex = ''
  let text: Buffer = Buffer.alloc(0)
  for (const { number, kind, value } of readFields(message)) {
    if (kind !== 'bytes') continue
    if (number === 1) vertex = value.toString()
    if (number === 4) text = value
  }
  return { vertex, text }
}
