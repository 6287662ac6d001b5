import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'blue'

/** Colours a text, or leaves it as it is. Rendering takes one, so that it knows neither streams nor settings. */
export type Paint = (style: Style, text: string) => string

export const plainPaint: Paint = (_style, text) => text

/** Colours where the stream is a terminal and NO_COLOR is unset; FORCE_COLOR decides otherwise (node:util). */
export const paintFor = (stream: NodeJS.WriteStream): Paint => {
  // Asked once: the answer cannot change, and the question is slow.
  const coloured = styleText('bold', 'x', { stream }) !== 'x'
  return coloured ? (style, text) => styleText(style, text, { validateStream: false }) : plainPaint
}
