import { version } from '../util/version.ts'
import { useCompileCache } from './compile-cache.ts'

/** As a shell tells of a program that SIGPIPE ended: 128 + 13. Node ignores that signal, and gives EPIPE. */
const brokenPipeExitCode = 141

// A pipe that nobody reads any more (`basalt logs | head`) ends the work without a word, but not as a success: the
// outcome of a deployment is not known.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? brokenPipeExitCode : 74),
  )

const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) process.stdout.write(`${version}\n`)
else {
  useCompileCache(process.env)
  const { runCli } = await import('./run-cli.ts')
  process.exitCode = await runCli(args, {
    tryRuntimes: async (environment) =>
      (await import('../targets/local/runtime/try-runtimes.ts')).tryRuntimes({ environment }),
  })
}
