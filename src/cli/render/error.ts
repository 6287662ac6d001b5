import type { WireError } from '../../engine/engine.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'

/** An error for people: the fact, the last words of whatever died, what to do. */
export function renderError(error: WireError, paint: Paint): string {
  const [first = '', ...more] = error.message.split('\n').map(printable)
  const logLines = lastLogLines(error)
  return [
    `${paint('red', 'error:')} ${first}`,
    ...more.map((line) => `  ${line}`),
    ...(logLines.length === 0
      ? []
      : ['', ...logLines.map((line) => paint('dim', `  | ${printable(line)}`)), '']),
    ...(error.remedy === null
      ? []
      : error.remedy.split('\n').map((line) => `  ${paint('cyan', '→')} ${printable(line)}`)),
  ].join('\n')
}

function lastLogLines(error: WireError): readonly string[] {
  const lines = error.details['lastLogLines']
  return Array.isArray(lines) ? lines.filter((line) => typeof line === 'string') : []
}

/** The whole chain of causes with their stacks: what --verbose adds. */
export function renderCauses(error: unknown): string {
  const lines: string[] = []
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    lines.push(...(cause.stack ?? cause.message).split('\n').map(printable))
  return lines.join('\n')
}
