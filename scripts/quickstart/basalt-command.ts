import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

export interface CommandResult {
  /** The document that the command printed. */
  readonly document: unknown
  /** Of the whole command, as a person waits for it. */
  readonly durationMs: number
}

/** The command line tool as a person would run it, in one folder with one state folder. */
export class BasaltCommand {
  readonly #folder: string
  readonly #home: string

  constructor(folder: string, home: string) {
    this.#folder = folder
    this.#home = home
  }

  /** Ends the process, with what the command said, when the command fails. */
  async run(...args: readonly string[]): Promise<CommandResult> {
    const startedAt = performance.now()
    const { exitCode, stdout, stderr } = await this.attempt(...args)
    const durationMs = Math.round(performance.now() - startedAt)
    if (exitCode !== 0) {
      console.error(`\n$ basalt ${args.join(' ')}\n${stderr}`)
      console.error(`The quickstart ends here. The log of the server is ${join(this.#home, 'server.log')}.`)
      process.exit(exitCode ?? 1)
    }
    return { document: stdout.trim() === '' ? null : JSON.parse(stdout), durationMs }
  }

  async attempt(
    ...args: readonly string[]
  ): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
    const child = spawn(join(root, 'bin/basalt'), [...args, '-o', 'json'], {
      cwd: this.#folder,
      env: { ...process.env, BASALT_HOME: this.#home, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const [exitCode] = (await once(child, 'close')) as [number | null]
    return { exitCode, stdout, stderr }
  }
}
