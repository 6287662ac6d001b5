import { stripVTControlCharacters } from 'node:util'
import type { Op } from '../../core/op.ts'

/** What a builder said, line by line, as it is kept with the release. */
export interface BuildLog {
  /** Takes text with or without line ends; `stream` keeps what belongs together apart from the rest. */
  write(text: string, stream?: string, prefix?: string): void
  line(text: string): void
  /** The newest lines of a stream, or of all. */
  last(count: number, stream?: string): readonly string[]
  text(): string
  /** A secret that a step prints is not shown. */
  hide(secret: Buffer): void
  /** Shows what the reader wrote instead of what the program was given. */
  replace(given: string, written: string): void
}

/** Of a log beyond this the middle is left out. */
const maxCharacters = 8 << 20
const secretMark = '***'
/** Whoever prints a shorter one prints it anywhere. */
const shortestSecret = 4

/** Lines go to `op.notify` as they come. A secret that a step prints is replaced, wherever it is whole on a line. */
export function createBuildLog(service: string, op: Op): BuildLog {
  const head: string[] = []
  let tail: string[] = []
  let headSize = 0
  let tailSize = 0
  let left = 0
  const recent = new Map<string, string[]>()
  const open = new Map<string, string>()
  const rewrites: (readonly [string, string])[] = []
  const hidden = new Set<string>()

  const clean = (text: string): string => {
    let shown = stripVTControlCharacters(text)
    for (const secret of hidden) shown = shown.replaceAll(secret, secretMark)
    for (const [from, to] of rewrites) shown = shown.replaceAll(from, to)
    return shown
  }
  const add = (text: string, stream: string, prefix: string): void => {
    const cleaned = clean(text)
    recent.set(stream, [...(recent.get(stream) ?? []), cleaned].slice(-50))
    const line = `${prefix}${cleaned}`
    if (headSize < maxCharacters / 2) {
      head.push(line)
      headSize += line.length
    } else {
      tail.push(line)
      tailSize += line.length
      if (tailSize > maxCharacters) {
        const kept = tail.slice(tail.length >> 1)
        left += tail.length - kept.length
        tail = kept
        tailSize = kept.reduce((sum, one) => sum + one.length, 0)
      }
    }
    op.notify?.({ code: 'build.output', message: `${service}: ${line}`, data: { service, line } })
  }

  return {
    write(text, stream = '', prefix = '') {
      // A line that is drawn anew in place counts as it was in the end.
      const lines = ((open.get(stream) ?? '') + text).split('\n')
      open.set(stream, lines.pop() ?? '')
      for (const line of lines) {
        const shown = line.replace(/\r$/, '').replace(/^.*\r/, '')
        if (shown !== '') add(shown, stream, prefix)
      }
    },
    line: (text) => add(text, '', ''),
    last(count, stream = '') {
      const unfinished = open.get(stream) ?? ''
      const lines = [...(recent.get(stream) ?? []), ...(unfinished === '' ? [] : [clean(unfinished)])]
      return lines.slice(-count)
    },
    text: () => textOf(head, left, [...tail, ...[...open.values()].filter((line) => line !== '').map(clean)]),
    hide(secret) {
      for (const line of [secret.toString(), ...secret.toString().split('\n')])
        if (line.trim().length >= shortestSecret) hidden.add(line.trim())
    },
    replace: (given, written) => void rewrites.push([given, written]),
  }
}

function textOf(head: readonly string[], left: number, tail: readonly string[]): string {
  const gap = left === 0 ? [] : [`… ${left} lines left out …`]
  return [...head, ...gap, ...tail].map((line) => `${line}\n`).join('')
}
