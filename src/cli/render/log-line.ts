import type { ServiceLogLine } from '../../engine/engine.ts'
import type { Paint, Style } from './paint.ts'
import { printable } from './printable.ts'

const styles: readonly Style[] = ['cyan', 'magenta', 'green', 'blue', 'yellow']

/** `web.1 | text`; the number is the instance's, so that two of one service can be told apart. */
export function renderLogLine(line: ServiceLogLine, paint: Paint, timestamps: boolean): string {
  const number = line.instance.slice(line.instance.lastIndexOf('.') + 1)
  const source = paint(styleOf(line.service), `${line.service}.${number} |`)
  const at = timestamps && line.at !== null ? `${new Date(line.at).toISOString()} ` : ''
  return `${at}${source} ${printable(line.text)}`
}

/** The same service, the same colour, in every call. */
function styleOf(service: string): Style {
  const sum = Buffer.from(service).reduce((total, byte) => total + byte, 0)
  return styles[sum % styles.length] ?? 'cyan'
}
