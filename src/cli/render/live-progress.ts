import { stripVTControlCharacters } from 'node:util'
import type { ProgressEvent } from '../../core/op.ts'
import { formatDuration } from '../duration.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'
import type { ProgressView } from './progress-view.ts'
import { displayWidth } from './table.ts'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const frameMs = 100
const mostRows = 12
const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
const eraseBelow = '\u001b[0J'

/** What a person has to know afterwards, too. */
const lasting: ReadonlySet<string> = new Set(['build.warning', 'build.lock-written', 'build.image-pinned'])

/** A terminal, as far as the live view writes to it. */
export interface LiveScreen {
  readonly columns: number
  readonly rows: number
  write(text: string): unknown
}

/**
 * A few lines that are redrawn in place: what is being done and for how long, and the newest message of each
 * service. Erased when it stops, but for what is said for good.
 */
export class LiveProgress implements ProgressView {
  readonly #screen: LiveScreen
  readonly #paint: Paint
  readonly #title: string
  readonly #begin = performance.now()
  readonly #rows = new Map<string, string>()
  readonly #timer: NodeJS.Timeout
  readonly #restoreCursor = (): void => {
    this.#screen.write(showCursor)
  }
  #phase = ''
  #drawnLines = 0
  #frame = 0

  constructor(screen: LiveScreen, paint: Paint, title: string) {
    this.#screen = screen
    this.#paint = paint
    this.#title = title
    screen.write(hideCursor)
    // However the process ends: a terminal without a cursor is a nuisance.
    process.once('exit', this.#restoreCursor)
    this.#timer = setInterval(() => this.#draw(), frameMs)
    this.#draw()
  }

  show(event: ProgressEvent): void {
    const phase = event.data?.['phase']
    if (event.code === 'deployment.phase' && typeof phase === 'string') this.#phase = phase
    else if (lasting.has(event.code)) {
      this.#screen.write(`${this.#toTop()}${eraseBelow}${printable(event.message)}\n`)
      this.#drawnLines = 0
    } else {
      const key = rowKey(event)
      // Deleted first, so that the row that changed last stands last and old ones scroll out.
      this.#rows.delete(key)
      this.#rows.set(key, event.message.split('\n')[0] ?? '')
    }
    this.#draw()
  }

  stop(): void {
    clearInterval(this.#timer)
    process.removeListener('exit', this.#restoreCursor)
    this.#screen.write(`${this.#toTop()}${eraseBelow}${showCursor}`)
    this.#drawnLines = 0
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % frames.length
    const elapsed = formatDuration(performance.now() - this.#begin)
    const head = [this.#title, this.#phase, elapsed].filter((part) => part !== '').join(' · ')
    const room = Math.max(1, Math.min(mostRows, this.#screen.rows - 3))
    const rows = [...this.#rows.values()].slice(-room)
    const lines = [
      `${this.#paint('cyan', frames[this.#frame] ?? '')} ${this.#fit(head, 2)}`,
      ...rows.map((row) => this.#paint('dim', `  ${this.#fit(row, 2)}`)),
    ]
    this.#screen.write(`${this.#toTop()}${eraseBelow}${lines.join('\n')}\n`)
    this.#drawnLines = lines.length
  }

  /** A line that the terminal would wrap would be two when it is erased. */
  #fit(text: string, indent: number): string {
    const room = Math.max(1, (this.#screen.columns || 80) - indent - 1)
    const plain = printable(stripVTControlCharacters(text))
    if (displayWidth(plain) <= room) return plain
    let cut = plain.slice(0, room - 1)
    while (displayWidth(cut) > room - 1) cut = cut.slice(0, -1)
    return `${cut}…`
  }

  #toTop(): string {
    return this.#drawnLines === 0 ? '\r' : `\u001b[${this.#drawnLines}F`
  }
}

/** Events about the same service, or the same blob, share a row; a deployment's name it in the step that they are about. */
function rowKey(event: ProgressEvent): string {
  const step = event.data?.['step'] as { readonly service?: unknown } | undefined
  const service = event.data?.['service'] ?? step?.service
  if (typeof service === 'string') return `service ${service}`
  // Blobs are on their way at the same time.
  const blob = event.code.startsWith('image.') ? event.data?.['digest'] : undefined
  return typeof blob === 'string' ? `blob ${blob}` : `code ${event.code}`
}
