import { exitCodes } from '../errors.ts'
import { apiReference as serverReference } from '../server/api-reference.ts'
import { catalogue } from './catalogue.ts'
import { type Command, type Flag, flagName, flagVariable } from './command.ts'
import { globalFlags } from './flags.ts'
import { sentence } from './program.ts'
import { documentSchemas } from './result-schemas.ts'

/** docs/cli.md, from the same data that parses command lines. */
export function cliReference(): string {
  const commands = catalogue.filter((command) => command.hidden !== true)
  return [
    introduction,
    '## Flags of every command',
    '',
    ...flagTable(globalFlags),
    '',
    '## Commands',
    '',
    ...commands.map((command) => `- [\`basalt ${command.name}\`](#${anchor(command)}): ${command.summary}`),
    '',
    ...commands.flatMap(section),
  ].join('\n')
}

/** docs/api.md: the calls of the server, and all documents that server and commands print. */
export const apiReference = (): string => serverReference(documentSchemas)

const introduction = `# Commands

- Results go to the standard output, everything else (progress, notes, errors) to the standard error.
- \`-o json\` and \`-o yaml\` print one document, whose \`schema\` member names its form; docs/api.md has them all. Streams
  (\`logs\`) print one document a line. An error is a document too, \`basalt.error/v1\`, beside its text on the standard
  error.
- Progress is live on a terminal and plain lines in a pipe; \`NO_COLOR\` is honoured.
- A command finds \`basalt.yaml\` in its folder or above. Without \`--env\` it means the first environment in there.
- A question is asked on a terminal only. Without one, \`deploy\` and \`rollback\` go on, and \`down\` and \`remove\` refuse
  unless \`--yes\` is given.
- Every flag can be set by an environment variable; the command line wins.
- Exit codes: 0 done, ${exitCodes.user} a mistake in the input or a deployment that failed, ${exitCodes.environment} the machine is in the way,
  ${exitCodes.bug} a bug of Basalt, 2 only \`plan --exit-code\` with changes. As of any program that a signal ended: 130
  interrupted by Ctrl-C or a no, 143 by SIGTERM, 141 nobody reads its output any more. A deployment that runs by
  then goes on.

| variable | what it sets |
|---|---|
| \`BASALT_HOME\` | the state folder, \`/var/lib/basalt\` when unset; another one is another Basalt |
| \`BASALT_GROUP\` | of the server: the group that may use its socket, \`basalt\` when unset |
`

function section(command: Command): readonly string[] {
  const args = Object.entries(command.args)
  const usage = args.map(([key, { required }]) => (required ? `<${flagName(key)}>` : `[${flagName(key)}]`))
  return [
    `### basalt ${command.name}`,
    '',
    `    ${['basalt', command.name, '[flags]', ...usage].join(' ')}`,
    '',
    sentence(command.summary),
    ...(command.description === undefined ? [] : ['', command.description]),
    '',
    ...args.map(([key, { summary }]) => `- \`${flagName(key)}\`: ${summary}`),
    ...(args.length > 0 ? [''] : []),
    ...(Object.keys(command.flags).length > 0 ? [...flagTable(command.flags), ''] : []),
    ...(command.schemas.length > 0
      ? [`Prints ${command.schemas.map((name) => `\`${name}\``).join(', ')}.`, '']
      : []),
    ...(command.examples.length > 0 ? [...exampleLines(command), ''] : []),
  ]
}

function flagTable(flags: Readonly<Record<string, Flag>>): readonly string[] {
  const rows = Object.entries(flags).map(([key, flag]) => {
    const names = `${flag.short === undefined ? '' : `-${flag.short}, `}--${flagName(key)}`
    const value = flag.kind === 'value' ? ` <${flag.placeholder}>` : ''
    return `| \`${names}${value}\` | \`${flagVariable(key)}\` | ${flag.summary} |`
  })
  return ['| flag | variable | |', '|---|---|---|', ...rows]
}

const exampleLines = (command: Command): readonly string[] => {
  const width = Math.max(...command.examples.map((example) => example.command.length))
  return command.examples.map((example) => `    ${example.command.padEnd(width)}  # ${example.does}`)
}

const anchor = (command: Command): string => `basalt-${command.name.replaceAll(' ', '-')}`
