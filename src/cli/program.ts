import { Option, Command as Program } from 'commander'
import { BasaltError } from '../errors.ts'
import { version } from '../util/version.ts'
import { catalogue, groups } from './catalogue.ts'
import { type Command, type Example, type Flag, flagName, flagVariable } from './command.ts'
import { globalFlags } from './flags.ts'

/** A command line that was understood. */
export interface Invocation {
  readonly command: Command
  readonly flags: Readonly<Record<string, unknown>>
  readonly args: Readonly<Record<string, string | null>>
}

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Commander for parsing, help and suggestions; the commands themselves know nothing of it.
 * `onInvocation` gets what the command line means.
 */
export function createProgram(
  environment: Environment,
  onInvocation: (invocation: Invocation) => Promise<void>,
): Program {
  const root = new Program('basalt')
    .description(
      'Immutable infrastructure: build once, freeze the whole system into one release, deploy by replacement.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    // Thrown instead, and printed once by the caller, in the format that was asked for.
    .configureOutput({ outputError: () => {} })
  addFlags(root, globalFlags)
  const parents = new Map<string, Program>()
  const parentOf = (name: string): Program => {
    const known = parents.get(name)
    if (known !== undefined) return known
    const group = root.command(name).description(groups[name] ?? '')
    addFlags(group, globalFlags)
    const members = catalogue.filter((command) => command.name.startsWith(`${name} `))
    addExamples(
      group,
      members.flatMap(({ examples }) => examples.slice(0, 1)),
    )
    parents.set(name, group)
    return group
  }
  for (const command of catalogue) {
    const [group = '', ...rest] = command.name.split(' ')
    addCommand(rest.length === 0 ? root : parentOf(group), command, environment, onInvocation)
  }
  root.addHelpText(
    'after',
    '\nEvery flag can be set by an environment variable too: --dry-run by BASALT_DRY_RUN.\n' +
      'BASALT_HOME is the state folder (/var/lib/basalt); another one is another Basalt.',
  )
  return root
}

function addCommand(
  parent: Program,
  command: Command,
  environment: Environment,
  onInvocation: (invocation: Invocation) => Promise<void>,
): void {
  const name = command.name.split(' ').at(-1) ?? command.name
  const program = parent.command(name, { hidden: command.hidden ?? false }).summary(command.summary)
  const paragraphs = [
    sentence(command.summary),
    ...(command.description === undefined ? [] : ['', command.description]),
  ]
  program.description(paragraphs.join('\n'))
  program.allowExcessArguments(false).helpOption('-h, --help', 'show help')
  for (const [key, argument] of Object.entries(command.args))
    program.argument(argument.required ? `<${flagName(key)}>` : `[${flagName(key)}]`, argument.summary)
  const flags = { ...command.flags, ...globalFlags }
  addFlags(program, flags)
  addExamples(program, command.examples)
  program.action(async () => {
    const sources = [program, ...ancestors(program)]
    await onInvocation({
      command,
      flags: Object.fromEntries(
        Object.entries(flags).map(([key, flag]) => [key, flagValue(key, flag, sources, environment)]),
      ),
      args: Object.fromEntries(
        Object.entries(command.args).map(([key, argument], position) => [
          key,
          checkChoice(key, argument.choices, program.args[position] ?? null),
        ]),
      ),
    })
  })
}

function addFlags(program: Program, flags: Readonly<Record<string, Flag>>): void {
  for (const [key, flag] of Object.entries(flags)) {
    const names = `${flag.short === undefined ? '' : `-${flag.short}, `}--${flagName(key)}`
    program.addOption(
      new Option(flag.kind === 'value' ? `${names} <${flag.placeholder}>` : names, flag.summary),
    )
    if (flag.kind === 'toggle') program.addOption(new Option(`--no-${flagName(key)}`).hideHelp())
  }
}

/** A summary as a sentence. */
export const sentence = (summary: string): string =>
  `${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.`

function addExamples(program: Program, examples: readonly Example[]): void {
  if (examples.length === 0) return
  const width = Math.max(...examples.map((example) => example.command.length))
  const lines = examples.map((example) => `  ${example.command.padEnd(width)}  ${example.does}`)
  program.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

function ancestors(program: Program): readonly Program[] {
  return program.parent === null ? [] : [program.parent, ...ancestors(program.parent)]
}

/** The command line first (also before the command's name), then the environment, then the flag's own default. */
function flagValue(key: string, flag: Flag, sources: readonly Program[], environment: Environment): unknown {
  const source = sources.find((program) => program.getOptionValueSource(key) === 'cli')
  const given: unknown = source?.getOptionValue(key)
  if (typeof given === 'boolean') return given
  const variable = flagVariable(key)
  if (typeof given === 'string') return parseFlag(flag, given, `--${flagName(key)}`)
  const text = environment[variable]
  return text === undefined || text === '' ? flag.absent : parseFlag(flag, text, variable)
}

function parseFlag(flag: Flag, text: string, name: string): unknown {
  const value = flag.parse(text)
  if (value !== undefined) return value
  throw new BasaltError('request.invalid', {
    message: `${name} is "${text}", which is not ${flag.expects ?? 'valid'}`,
    remedy: `Give ${flag.expects ?? 'another value'}.`,
    details: { flag: name, value: text },
  })
}

function checkChoice(
  name: string,
  choices: readonly string[] | undefined,
  text: string | null,
): string | null {
  if (text === null || choices === undefined || choices.includes(text)) return text
  throw new BasaltError('request.invalid', {
    message: `${name} is "${text}"; it must be one of ${choices.join(', ')}`,
    remedy: 'Give one of these.',
    details: { argument: name, value: text, choices },
  })
}
