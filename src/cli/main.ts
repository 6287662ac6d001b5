import { version } from '../util/version.ts'
import { useCompileCache } from './compile-cache.ts'

// A pipe that nobody reads any more (`basalt logs | head`) is the end of the work, not an error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74))

const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) process.stdout.write(`${version}\n`)
else {
  useCompileCache(process.env)
  const { runCli } = await import('./run-cli.ts')
  process.exitCode = await runCli(args)
}
