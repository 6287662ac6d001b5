import { connect } from 'node:net'
import type { HealthCheck } from '../../../core/system.ts'

/** Asks an instance once. Resolves with null when it is well, else with what is wrong, for people; never rejects. */
export type Probe = () => Promise<string | null>

/** Runs a command inside the instance. `timeoutMs` over: exit code null. */
export type RunInside = (
  command: readonly string[],
  timeoutMs: number,
) => Promise<{ readonly exitCode: number | null; readonly output: string }>

export function probeOf(check: HealthCheck, address: string, runInside: RunInside): Probe {
  switch (check.kind) {
    case 'http':
      return () => probeHttp(address, check.port, check.path, check.timeoutMs)
    case 'tcp':
      return () => probeTcp(address, check.port, check.timeoutMs)
    case 'command':
      return () => probeCommand(check.command, check.timeoutMs, runInside)
    case 'running':
      return () => Promise.resolve(null)
  }
}

/**
 * A GET whose first line of answer is the verdict. By hand, because checks are most of what an idle server does
 * and a whole HTTP client costs three times as much.
 */
function probeHttp(host: string, port: number, path: string, timeoutMs: number): Promise<string | null> {
  const question = `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUser-Agent: basalt-health\r\nConnection: close\r\n\r\n`
  return converse(host, port, timeoutMs, question, (answer) => {
    const [, status] = /^HTTP\/1\.[01] (\d{3})[ \r\n]/.exec(answer) ?? []
    if (status === undefined)
      return answer.includes('\n') || answer.length > maxStatusLine
        ? `GET ${path} gave no HTTP answer`
        : undefined
    return status >= '200' && status < '400' ? null : `GET ${path} gave ${status}`
  })
}

const probeTcp = (host: string, port: number, timeoutMs: number): Promise<string | null> =>
  converse(host, port, timeoutMs, null, () => null)

const maxStatusLine = 1024

/** Connects, asks, and takes the first verdict that `judge` has on what came so far; without a question at once. */
function converse(
  host: string,
  port: number,
  timeoutMs: number,
  question: string | null,
  judge: (answer: string) => string | null | undefined,
): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let answer = ''
    const finish = (verdict: string | null) => {
      clearTimeout(timer)
      resolve(verdict)
      socket.destroy()
    }
    const timer = setTimeout(() => finish(noAnswer(timeoutMs)), timeoutMs)
    const look = () => {
      const verdict = judge(answer)
      if (verdict !== undefined) finish(verdict)
    }
    socket.on('connect', () => (question === null ? look() : socket.write(question)))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      look()
    })
    socket.on('end', () => finish(connectionProblems.ECONNRESET ?? ''))
    socket.on('error', (error: NodeJS.ErrnoException) => finish(connectionProblem(error)))
  })
}

async function probeCommand(
  command: readonly string[],
  timeoutMs: number,
  runInside: RunInside,
): Promise<string | null> {
  const { exitCode, output } = await runInside(command, timeoutMs)
  if (exitCode === 0) return null
  if (exitCode === null) return noAnswer(timeoutMs)
  const lastLine = output.trim().split('\n').at(-1) ?? ''
  return `"${command.join(' ')}" ended with exit code ${exitCode}${lastLine === '' ? '' : `: ${lastLine}`}`
}

const noAnswer = (timeoutMs: number): string => `no answer within ${timeoutMs / 1000} s`

const connectionProblems: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed without an answer',
  EHOSTUNREACH: 'the address does not answer',
  EPIPE: 'connection closed without an answer',
}

const connectionProblem = (error: NodeJS.ErrnoException): string =>
  connectionProblems[error.code ?? ''] ?? error.message
