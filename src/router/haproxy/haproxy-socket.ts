import { connect, type Socket } from 'node:net'
import { BasaltError } from '../../errors.ts'
import type { MapLine } from './route-map.ts'

/** A conversation with HAProxy over its runtime socket (management guide, 9.3): one command at a time. */
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
  const waiting: Question[] = []
  let current: Question | undefined
  let received = ''
  let timer: NodeJS.Timeout | undefined

  const next = () => {
    clearTimeout(timer)
    received = ''
    current = waiting.shift()
    if (current === undefined) return
    timer = setTimeout(
      () => socket.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)),
      answerTimeoutMs,
    )
    socket.write(`${current.command}\n`)
  }
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    received += chunk
    if (!received.endsWith(promptEnd)) return
    const answer = received.slice(0, -promptEnd.length).replace(/^(?:\+ )+/, '')
    current?.resolve(answer.replace(/\n+$/, ''))
    next()
  })
  let cause: Error | undefined
  socket.on('error', (error) => {
    cause = error
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      clearTimeout(timer)
      const unanswered = current === undefined ? waiting : [current, ...waiting]
      for (const { command, reject } of unanswered)
        reject(lost(`HAProxy went away at \`${firstLine(command)}\``, cause))
      waiting.length = 0
      current = undefined
      resolve()
    })
  })

  return {
    closed,
    close: () => socket.destroy(),
    ask: (command) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(lost('HAProxy is gone', cause))
        waiting.push({ command, resolve, reject })
        if (current === undefined) next()
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
