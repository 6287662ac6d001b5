import { connect, type Socket } from 'node:net'
import { BasaltError } from '../../errors.ts'
import type { MapLine } from './route-map.ts'

/**
 * A conversation with HAProxy over its runtime socket (management guide, 9.3). Commands are carried out one after the
 * other; the next ones are sent before the answers to earlier ones are there.
 */
export interface HaproxySocket {
  /** The answer without its closing blank lines. Rejects with `router.failed`, `isLost` true, if none comes. */
  ask(command: string): Promise<string>
  /** Resolves when the connection has ended, whatever ended it: at the latest when HAProxy dies. */
  readonly closed: Promise<void>
  close(): void
}

interface Question {
  readonly command: string
  readonly resolve: (answer: string) => void
  readonly reject: (error: BasaltError) => void
}

const promptEnd = '\n> '
const answerTimeoutMs = 10_000

/** Rejects with `router.failed`, `isLost` true, when nobody answers at the path. */
export async function connectHaproxy(path: string): Promise<HaproxySocket> {
  const socket = connect(path)
  const conversation = converse(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (cause) => reject(lost(`nobody answers at ${path}`, cause)))
  })
  await conversation.ask('prompt')
  return conversation
}

function converse(socket: Socket): HaproxySocket {
  const unanswered: Question[] = []
  let received = ''
  let timer: NodeJS.Timeout | undefined

  /** For the answer to the oldest question. */
  const setTimer = () => {
    clearTimeout(timer)
    if (unanswered.length === 0) return
    timer = setTimeout(
      () => socket.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)),
      answerTimeoutMs,
    )
  }
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    // A prompt may have come in two pieces. No line of an answer begins like one.
    let searchedFrom = Math.max(0, received.length - promptEnd.length)
    received += chunk
    for (;;) {
      const end = received.indexOf(promptEnd, searchedFrom)
      if (end === -1) return
      const answer = received.slice(0, end).replace(/^(?:\+ )+/, '')
      received = received.slice(end + promptEnd.length)
      searchedFrom = 0
      unanswered.shift()?.resolve(answer.replace(/\n+$/, ''))
      setTimer()
    }
  })
  let cause: Error | undefined
  socket.on('error', (error) => {
    cause = error
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      clearTimeout(timer)
      for (const { command, reject } of unanswered.splice(0))
        reject(lost(`HAProxy went away at \`${firstLine(command)}\``, cause))
      resolve()
    })
  })

  return {
    closed,
    close: () => socket.destroy(),
    ask: (command) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(lost('HAProxy is gone', cause))
        unanswered.push({ command, resolve, reject })
        if (unanswered.length === 1) setTimer()
        socket.write(`${command}\n`)
      }),
  }
}

/** Asks, and rejects with `router.failed` unless the answer is as expected. */
export async function tell(socket: HaproxySocket, command: string, expected: RegExp = /^$/): Promise<string> {
  const answer = await socket.ask(command)
  if (expected.test(answer)) return answer
  throw new BasaltError('router.failed', {
    message: `HAProxy refused \`${firstLine(command)}\`: ${firstLine(answer)}`,
    remedy: 'See `basalt doctor`; if this stays, please report it.',
    details: { command: firstLine(command), answer },
  })
}

/** What one command may carry is bounded by HAProxy's buffer of 16 KiB. */
const maxPayloadLength = 8_000

/** Replaces a map as a whole: lookups see all of the old lines or all of the new ones. */
export async function replaceMap(
  socket: HaproxySocket,
  file: string,
  lines: readonly MapLine[],
): Promise<void> {
  const created = await tell(socket, `prepare map ${file}`, /^New version created: \d+$/)
  const version = created.slice(created.lastIndexOf(' ') + 1)
  let payload = ''
  const send = async () => {
    if (payload !== '') await tell(socket, `add map @${version} ${file} <<\n${payload}`)
    payload = ''
  }
  for (const [key, value] of lines) {
    if (payload.length + key.length + value.length > maxPayloadLength) await send()
    payload += `${key} ${value}\n`
  }
  await send()
  await tell(socket, `commit map @${version} ${file}`)
}

/** The lines that lookups see now. */
export async function readMap(socket: HaproxySocket, file: string): Promise<readonly MapLine[]> {
  const answer = await tell(socket, `show map ${file}`, /^$|^0x/)
  return answer
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, key = '', value = ''] = line.split(' ')
      return [key, value] as const
    })
}

export const mapFile = (lines: readonly MapLine[]): string =>
  lines.map(([key, value]) => `${key} ${value}\n`).join('')

/** HAProxy did not answer, as opposed to refusing: it may have died. */
export const isLost = (error: unknown): boolean =>
  error instanceof BasaltError && error.code === 'router.failed' && error.details.lost === true

const lost = (message: string, cause?: unknown): BasaltError =>
  new BasaltError('router.failed', {
    message,
    remedy: 'The server starts it again by itself; see `basalt doctor` if this stays.',
    details: { lost: true },
    cause,
  })

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''
