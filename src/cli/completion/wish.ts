import { type Command, type Completes, type Flag, flagName } from '../command.ts'
import { globalFlags } from '../flags.ts'

export interface Candidate {
  readonly value: string
  readonly help: string
}

/** What can stand at the end of a command line: known words, or things that only a server or a folder knows. */
export interface Wish {
  readonly words: readonly Candidate[]
  readonly things: Exclude<Completes, 'none'> | null
  /** Goes before every thing: `--env=` of `--env=sta`. */
  readonly prefix: string
  /** What stands there already, without the prefix. */
  readonly typed: string
  /** The environment that the line names so far. */
  readonly environment: string | null
}

/** Reads a command line up to the cursor; the last word is the one to complete, and may be empty. */
export function wishOf(
  line: string,
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): Wish {
  const [, ...words] = line.trimStart().split(/\s+/)
  const current = words.pop() ?? ''
  // `basalt help <command>`: what follows is a command's name and nothing else.
  const isHelp = words[0] === 'help'
  if (isHelp) words.shift()
  const read = readWords(words, commands, groups)
  const environment = read.environment
  if (read.awaiting !== null) return { ...valuesOf(read.awaiting), prefix: '', typed: current, environment }
  const flags = read.command === null ? globalFlags : { ...read.command.flags, ...globalFlags }
  const equals = current.indexOf('=')
  if (current.startsWith('--') && equals > 0) {
    const flag = findFlag(flags, current.slice(0, equals))
    const prefix = current.slice(0, equals + 1)
    const { words: values, things } = flag === null ? nothing : valuesOf(flag)
    return {
      words: values.map((word) => ({ ...word, value: prefix + word.value })),
      things,
      prefix,
      typed: current.slice(prefix.length),
      environment,
    }
  }
  if (current.startsWith('-') && !isHelp)
    return { words: flagWords(flags), things: null, prefix: '', typed: current, environment }
  const rest =
    read.command === null
      ? commandWords(read.path, commands, groups)
      : isHelp
        ? nothing
        : argumentsOf(read.command, read.position)
  return { ...rest, prefix: '', typed: current, environment }
}

interface ReadWords {
  /** Words of a command's name so far. */
  readonly path: readonly string[]
  readonly command: Command | null
  /** How many arguments the command has been given. */
  readonly position: number
  /** A flag whose value comes next. */
  readonly awaiting: Flag | null
  readonly environment: string | null
}

function readWords(
  words: readonly string[],
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): ReadWords {
  let path: string[] = []
  let command: Command | null = null
  let position = 0
  let awaiting: Flag | null = null
  let environment: string | null = null
  for (const word of words) {
    const flags: Readonly<Record<string, Flag>> = { ...command?.flags, ...globalFlags }
    if (awaiting !== null) {
      if (awaiting.completes === 'environment') environment = word
      awaiting = null
    } else if (word.startsWith('-')) {
      const [name = '', value] = word.split('=', 2)
      const flag = findFlag(flags, name)
      if (flag?.kind !== 'value') continue
      if (value === undefined) awaiting = flag
      else if (flag.completes === 'environment') environment = value
    } else if (command !== null) position++
    else {
      path = [...path, word]
      command = commands.find(({ name }) => name === path.join(' ')) ?? null
      // An unknown command has no completions, whatever follows it.
      if (command === null && groups[path.join(' ')] === undefined) path = ['']
    }
  }
  return { path, command, position, awaiting, environment }
}

const nothing = { words: [], things: null } as const

type WordsAndThings = Pick<Wish, 'words' | 'things'>

function valuesOf({ choices, completes }: Pick<Flag, 'choices' | 'completes'>): WordsAndThings {
  if (choices !== undefined) return { words: choices.map((value) => ({ value, help: '' })), things: null }
  return { words: [], things: completes === undefined || completes === 'none' ? null : completes }
}

const findFlag = (flags: Readonly<Record<string, Flag>>, typed: string): Flag | null =>
  Object.entries(flags).find(
    ([key, { short }]) => typed === `--${flagName(key)}` || typed === `-${short}`,
  )?.[1] ?? null

const flagWords = (flags: Readonly<Record<string, Flag>>): readonly Candidate[] => [
  ...Object.entries(flags).flatMap(([key, { summary, kind }]) => [
    { value: `--${flagName(key)}`, help: summary },
    ...(kind === 'toggle' ? [{ value: `--no-${flagName(key)}`, help: summary }] : []),
  ]),
  { value: '--help', help: 'show help' },
]

function argumentsOf(command: Command, position: number): WordsAndThings {
  const argument = Object.values(command.args)[position]
  return argument === undefined ? nothing : valuesOf(argument)
}

function commandWords(
  path: readonly string[],
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): WordsAndThings {
  const before = path.map((word) => `${word} `).join('')
  const visible = commands.filter(({ name, hidden }) => hidden !== true && name.startsWith(before))
  const words = visible.map(({ name, summary }) => ({ value: name.slice(before.length), help: summary }))
  const own = words.filter(({ value }) => !value.includes(' '))
  const groupWords = path.length > 0 ? [] : Object.entries(groups).map(([value, help]) => ({ value, help }))
  return { words: [...own, ...groupWords], things: null }
}
