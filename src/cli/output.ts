import { type Paint, paintFor } from './render/paint.ts'

export const outputFormats = ['table', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

/** Every document says what it is. */
interface Schemed {
  readonly schema: string
}

/** The streams of a process, as far as a command writes to them. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

/**
 * Where a command's words go: the result to the standard output, everything else (progress, notes, errors) to
 * the standard error. So `-o json` prints exactly one document, whatever happens on the way.
 */
export class Output {
  readonly format: OutputFormat
  readonly quiet: boolean
  readonly verbose: boolean
  readonly paint: Paint
  readonly paintNote: Paint
  readonly streams: Streams

  constructor(
    streams: Streams,
    options: { readonly format: OutputFormat; readonly quiet: boolean; readonly verbose: boolean },
  ) {
    this.streams = streams
    this.format = options.format
    this.quiet = options.quiet
    this.verbose = options.verbose
    this.paint = paintFor(streams.stdout)
    this.paintNote = paintFor(streams.stderr)
  }

  /** The result: as text for people, or as the document that scripts read. */
  async result<Document extends Schemed>(document: Document, text: () => string): Promise<void> {
    if (this.format === 'table') {
      const rendered = text()
      if (rendered !== '') this.streams.stdout.write(`${rendered}\n`)
    } else await this.document(document)
  }

  /** One of many: a line of JSON, a document of a YAML stream. */
  async item<Document extends Schemed>(document: Document, text: () => string): Promise<void> {
    if (this.format === 'table') this.streams.stdout.write(`${text()}\n`)
    else if (this.format === 'json') this.streams.stdout.write(`${JSON.stringify(document)}\n`)
    else await this.document(document)
  }

  async document<Document extends Schemed>(document: Document): Promise<void> {
    if (this.format === 'yaml') {
      const { stringify } = (await import('yaml')).default
      this.streams.stdout.write(`---\n${stringify(document, { lineWidth: 0 })}`)
    } else this.streams.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
  }

  /** A line beside the result; silent with --quiet. */
  note(text: string): void {
    if (!this.quiet) this.streams.stderr.write(`${text}\n`)
  }
}
