import type { ProgressEvent } from '../../core/op.ts'
import type { Output } from '../output.ts'
import { LiveProgress } from './live-progress.ts'
import { printable } from './printable.ts'
import type { ProgressView } from './progress-view.ts'

/** Layers that are there already are most of the lines of a build and say nothing; half a blob is no news. */
const isMinor = ({ code, data }: ProgressEvent): boolean =>
  (code === 'build.layer' && data?.['cached'] === true) ||
  code === 'image.fetching' ||
  code === 'image.sending'

const silent: ProgressView = { show: () => {}, stop: () => {} }

/**
 * Live on a terminal, one plain line an event in a pipe. Documents (`-o json`) are often read together with
 * the standard error, so without a terminal they come alone.
 */
export function openProgress(output: Output, title: string): ProgressView {
  const { stderr } = output.streams
  if (output.quiet) return silent
  if (stderr.isTTY && process.env['TERM'] !== 'dumb') return new LiveProgress(stderr, output.paintNote, title)
  if (output.format !== 'table') return silent
  return {
    show: (event) =>
      (output.verbose || !isMinor(event)) &&
      stderr.write(`${event.message.split('\n').map(printable).join('\n  ')}\n`),
    stop: () => {},
  }
}
