import type { BuildLog } from '../build-log.ts'
import { readStatus, type Vertex } from './solve-status.ts'

/** The step that failed, with what it printed. */
export interface FailedVertex {
  readonly name: string
  readonly error: string
  readonly lastLines: readonly string[]
}

export interface VertexLog {
  /** Takes a StatusResponse. */
  show(message: Buffer): void
  failed(): FailedVertex | null
}

interface Shown {
  readonly number: number
  readonly name: string
  done: boolean
}

const keptLines = 20

/**
 * Steps as Docker's client prints them without a terminal: numbered in the order of their starting, every line with the
 * number of its step. Without times, which are no two times the same.
 */
export function createVertexLog(log: BuildLog): VertexLog {
  const shown = new Map<string, Shown>()
  let failed: Vertex | null = null

  const show = (vertex: Vertex): Shown | null => {
    const known = shown.get(vertex.digest)
    if (known !== undefined) return known
    if (!vertex.started && !vertex.cached) return null
    const entry = { number: shown.size + 1, name: vertex.name, done: false }
    shown.set(vertex.digest, entry)
    log.line(`#${entry.number} ${vertex.name}`)
    return entry
  }
  const end = (vertex: Vertex, entry: Shown): void => {
    if (entry.done || !(vertex.completed || vertex.error !== '')) return
    entry.done = true
    // A step that ends because another one failed is not the one to blame.
    const isCause = vertex.error !== '' && !/context canceled/.test(vertex.error)
    if (isCause) failed ??= vertex
    if (vertex.error !== '') log.line(`#${entry.number} ERROR: ${vertex.error}`)
    else if (vertex.cached) log.line(`#${entry.number} CACHED`)
  }

  return {
    show(message) {
      const { vertexes, logs } = readStatus(message)
      for (const vertex of vertexes) {
        const entry = show(vertex)
        if (entry !== null && vertex.error === '') end(vertex, entry)
      }
      for (const { vertex, text } of logs) {
        const number = shown.get(vertex)?.number ?? 0
        log.write(text.toString(), vertex, `#${number} `)
      }
      // After its last lines.
      for (const vertex of vertexes) {
        const entry = shown.get(vertex.digest)
        if (entry !== undefined && vertex.error !== '') end(vertex, entry)
      }
    },
    failed() {
      if (failed === null) return null
      const { name, error, digest } = failed
      return { name, error, lastLines: log.last(keptLines, digest) }
    },
  }
}
