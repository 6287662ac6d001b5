import { constants } from 'node:os'
import { CommanderError } from 'commander'
import { BasaltError, exitCodes } from '../errors.ts'
import { resolveHome } from '../server/home.ts'
import { toWireError } from '../server/wire-error.ts'
import { ensureServer } from './client/connect.ts'
import { Connection } from './client/connection.ts'
import { RemoteEngine } from './client/remote-engine.ts'
import { runningServer } from './client/server-control.ts'
import type { Context } from './context.ts'
import { Output, type OutputFormat } from './output.ts'
import { createProgram, type Environment, type Invocation } from './program.ts'
import { renderCauses, renderError } from './render/error.ts'

/** What only main.ts may name, because it is a driver's. */
export type DriverParts = Pick<Context, 'tryRuntimes'>

/** Runs one command line; resolves with the exit code. Everything that a person reads has been written by then. */
export async function runCli(args: readonly string[], parts: DriverParts): Promise<number> {
  const streams = { stdout: process.stdout, stderr: process.stderr }
  const interrupt = onInterrupt()
  let output = new Output(streams, guessOptions(args, process.env))
  let exitCode = 0
  let errorExitCode: number | null = null
  const program = createProgram(process.env, async (invocation) => {
    output = new Output(streams, optionsOf(invocation))
    errorExitCode = invocation.command.errorExitCode?.(invocation.flags) ?? null
    exitCode = await runCommand(invocation, output, interrupt.signal, parts)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    const code = await reportError(error, output, interrupt)
    return code === 0 ? 0 : (errorExitCode ?? code)
  }
}

async function runCommand(
  invocation: Invocation,
  output: Output,
  interrupt: AbortSignal,
  parts: DriverParts,
): Promise<number> {
  const home = resolveHome(process.env)
  const connection = new Connection(home.socketPath)
  const userId = process.getuid?.() ?? 0
  const context: Context = {
    ...parts,
    environment: process.env,
    folder: process.cwd(),
    home,
    output,
    interrupt,
    canAsk: process.stdin.isTTY && process.stderr.isTTY,
    userId,
    now: () => Date.now(),
    connection,
    server: () => runningServer(connection, home),
    engine: async () => {
      await ensureServer({
        home,
        connection,
        userId,
        launch: async () => (await import('./client/launch-server.ts')).launchServer(home),
      })
      return new RemoteEngine(connection, interrupt)
    },
  }
  try {
    return (await invocation.command.run({ flags: invocation.flags, args: invocation.args }, context)) ?? 0
  } finally {
    connection.close()
  }
}

/** Prints an error once: for people to the standard error, in JSON mode also as a document to the standard output. */
async function reportError(error: unknown, output: Output, interrupt: Interrupt): Promise<number> {
  if (error instanceof CommanderError && error.exitCode === 0) return 0
  // Commander has shown the help of a group that was given no command.
  if (error instanceof CommanderError && error.code === 'commander.help' && output.format === 'table')
    return exitCodes.user
  const known = error instanceof CommanderError ? usageError(error) : error
  const wire = toWireError(known)
  const interrupted = wire.code === 'request.interrupted'
  if (output.format !== 'table') await output.document({ schema: 'basalt.error/v1', ...wire })
  output.streams.stderr.write(`${renderError(wire, output.paintNote)}\n`)
  if (output.verbose || wire.code === 'internal.bug') output.streams.stderr.write(`${renderCauses(known)}\n`)
  if (interrupted) return interrupt.exitCode()
  return known instanceof BasaltError ? exitCodes[known.kind] : exitCodes.bug
}

/** What commander refuses, in our words. */
function usageError(error: CommanderError): BasaltError {
  if (error.code === 'commander.help')
    return new BasaltError('request.invalid', {
      message: 'a command is missing',
      remedy: 'See `basalt --help` for all of them.',
    })
  return new BasaltError('request.invalid', {
    message: error.message.replace(/^error: /, ''),
    remedy: 'See `basalt --help`, or `basalt <command> --help`.',
    details: { reason: error.code },
  })
}

interface Interrupt {
  readonly signal: AbortSignal
  /** Of a command that was interrupted, as shells have it: 128 and the number of what came; a no is a Ctrl-C. */
  exitCode(): number
}

/** The first Ctrl-C or SIGTERM asks, the second one ends the process at once. */
function onInterrupt(): Interrupt {
  const controller = new AbortController()
  let exitCode = 128 + constants.signals.SIGINT
  const handle = (signal: 'SIGINT' | 'SIGTERM'): void => {
    exitCode = 128 + constants.signals[signal]
    if (controller.signal.aborted) process.exit(exitCode)
    controller.abort()
  }
  process.on('SIGINT', () => handle('SIGINT'))
  process.on('SIGTERM', () => handle('SIGTERM'))
  return { signal: controller.signal, exitCode: () => exitCode }
}

const optionsOf = ({ flags }: Invocation): ConstructorParameters<typeof Output>[1] => ({
  format: flags['output'] as OutputFormat,
  quiet: flags['quiet'] === true,
  verbose: flags['verbose'] === true,
})

/** The format in which a command line that cannot be understood is refused: whoever asked for JSON gets JSON. */
function guessOptions(
  args: readonly string[],
  environment: Environment,
): ConstructorParameters<typeof Output>[1] {
  const text = args.join(' ')
  const format =
    /(?:^| )(?:-o ?|--output[ =])(json|yaml)(?: |$)/.exec(text)?.[1] ?? environment['BASALT_OUTPUT']
  return { format: format === 'json' || format === 'yaml' ? format : 'table', quiet: false, verbose: false }
}
