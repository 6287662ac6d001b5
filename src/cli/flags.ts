import type { Argument, Completes, Flag } from './command.ts'
import { parseDuration } from './duration.ts'
import { type OutputFormat, outputFormats } from './output.ts'

/* The kinds of flags, and those that several commands share: one name means one thing everywhere. */

interface Options {
  readonly short?: string
  readonly choices?: readonly string[]
  readonly completes?: Completes
}

export const textFlag = (
  placeholder: string,
  summary: string,
  options: Options = {},
): Flag<string | null> => ({
  kind: 'value',
  placeholder,
  summary,
  ...options,
  parse: (text) => text,
  absent: null,
})

export const switchFlag = (summary: string, options: Options = {}): Flag<boolean> => ({
  kind: 'switch',
  summary,
  ...options,
  expects: 'true or false',
  parse: parseBoolean,
  absent: false,
})

export const countFlag = (
  placeholder: string,
  summary: string,
  absent: number | null,
  options: Options = {},
) => ({
  kind: 'value' as const,
  placeholder,
  summary,
  ...options,
  expects: 'a whole number',
  parse: (text: string): number | null | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined),
  absent,
})

export const toggleFlag = (summary: string, absent: boolean): Flag<boolean> => ({
  kind: 'toggle',
  summary,
  expects: 'true or false',
  parse: parseBoolean,
  absent,
})

function parseBoolean(text: string): boolean | undefined {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true
  if (['', '0', 'false', 'no', 'off'].includes(text.toLowerCase())) return false
  return undefined
}

export const fileFlag = textFlag('path', 'basalt.yaml, or the folder it is in (found upward from here)', {
  short: 'f',
  completes: 'file',
})

/** For commands where `-f` means something else. */
export const longFileFlag = textFlag('path', fileFlag.summary, { completes: 'file' })

export const environmentFlag = textFlag('name', 'environment; `shop/staging` names its system too', {
  short: 'e',
  completes: 'environment',
})

export const reasonFlag = textFlag('text', 'why; kept in the history', { short: 'm' })
export const yesFlag = switchFlag('do not ask; without a terminal, `down` and `remove` need it', {
  short: 'y',
})
export const dryRunFlag = switchFlag('show what would be done, and do nothing')

export const waitFlag: Flag<boolean | null> = {
  kind: 'toggle',
  summary:
    'wait for another running deployment of the environment instead of being refused; ' +
    '--no-wait: return as soon as the deployment runs',
  expects: 'true or false',
  parse: parseBoolean,
  absent: null,
}

export const timeoutFlag: Flag<number | null> = {
  kind: 'value',
  placeholder: 'duration',
  summary: 'return to what served before when it takes longer, for example 5m',
  expects: 'a duration above zero such as 90s, 5m or 1h30m',
  parse: parseDuration,
  absent: null,
}

/** Every command has these. */
export const globalFlags = {
  output: {
    kind: 'value',
    placeholder: 'format',
    short: 'o',
    summary: 'table, json or yaml',
    choices: outputFormats,
    expects: 'table, json or yaml',
    parse: (text: string) => outputFormats.find((known) => known === text),
    absent: 'table',
  } satisfies Flag<OutputFormat>,
  quiet: switchFlag('only the result, no progress', { short: 'q' }),
  verbose: switchFlag('more detail, and where an error comes from', { short: 'v' }),
}

export const required = (summary: string, completes: Completes = 'none') =>
  ({ summary, required: true, completes }) as const satisfies Argument

export const optional = (summary: string, completes: Completes = 'none') =>
  ({ summary, required: false, completes }) as const satisfies Argument
