import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { asUser } from '../src/cli/fixtures/as-user.ts'
import type { WireError } from '../src/engine/engine.ts'
import { installBasalt } from './installed-basalt.fixture.ts'
import { machineTraces, noTraces, sweepTraces } from './machine-traces.fixture.ts'

export interface RunOptions {
  /** The `bin/basalt` of another package. */
  readonly program?: string
  /** Where it runs; else the project's folder. */
  readonly folder?: string
  /** Beside PATH and BASALT_HOME; undefined takes one away. A server that the command starts inherits it. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly userId?: number
  /** A program that runs the command, with its arguments: `nsenter --net=…`. */
  readonly prefix?: readonly string[]
  /** Killed after this time. */
  readonly timeoutMs?: number
  /** Called with all that the command has written so far. */
  readonly onOutput?: (text: string, child: ChildProcess) => void
}

export interface Finished {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A state folder and a project folder of a test's own, and the real command line tool for them. */
export interface BasaltHome {
  /** All below is in here. */
  readonly folder: string
  /** BASALT_HOME. */
  readonly home: string
  /** An empty folder for basalt.yaml. */
  readonly project: string
  /** Runs a command as a person would, in a pipe. */
  run(args: readonly string[], options?: RunOptions): Promise<Finished>
  /** Runs a command with `-o json`; it must succeed. Resolves with its document. */
  json<Document>(args: readonly string[], options?: RunOptions): Promise<Document>
  /** Runs a command with `-o json`; it must fail. Resolves with the error, of its own or of a deployment. */
  fails(args: readonly string[], options?: RunOptions): Promise<WireError & { readonly exitCode: number }>
  /** Makes a Git repository of the project, or commits what changed there. */
  commit(): void
  /** Takes everything off the machine and expects that nothing is left. */
  close(): Promise<void>
}

/** Less than a hook may take, so that what a failed test has left is swept in any case. */
const removePatienceMs = 40_000

let program: string | undefined
const programFolders: string[] = []

/** Bundles Basalt once for all homes of a test file. */
function theProgram(): string {
  if (program !== undefined) return program
  const folder = mkdtempSync(join(tmpdir(), 'basalt-package-'))
  programFolders.push(folder)
  program = installBasalt(folder)
  return program
}

// Of the file that imports this; its own hooks come first. A worker's `exit` event is never seen.
afterAll(() => {
  for (const folder of programFolders) rmSync(folder, { recursive: true, force: true })
})

/** `home` is where the state folder is to be, when not in the temporary folder. */
export function openBasaltHome(options: { readonly home?: string } = {}): BasaltHome {
  const basalt = theProgram()
  const folder = mkdtempSync(join(tmpdir(), 'basalt-test-'))
  chmodSync(folder, 0o755)
  const home = options.home ?? join(folder, 'home')
  const project = join(folder, 'tiny')
  mkdirSync(project)

  function run(args: readonly string[], runOptions: RunOptions = {}): Promise<Finished> {
    const { prefix = [], program = basalt, userId } = runOptions
    const user = userId === undefined ? [] : asUser(userId)
    const [file = program, ...words] = [...prefix, ...user, program, ...args]
    const child = spawn(file, words, {
      cwd: runOptions.folder ?? project,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        TERM: 'xterm',
        BASALT_HOME: home,
        ...runOptions.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: runOptions.timeoutMs,
      killSignal: 'SIGKILL',
    })
    let [stdout, stderr] = ['', '']
    const tell = () => runOptions.onOutput?.(stdout + stderr, child)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      tell()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      tell()
    })
    return once(child, 'close').then(([exitCode]) => ({
      exitCode: exitCode as number | null,
      stdout,
      stderr,
    }))
  }

  async function json<Document>(args: readonly string[], runOptions?: RunOptions): Promise<Document> {
    const { exitCode, stdout, stderr } = await run([...args, '-o', 'json'], runOptions)
    expect(exitCode, `basalt ${args.join(' ')}\n${stderr}${stdout}`).toBe(0)
    return JSON.parse(stdout) as Document
  }

  return {
    folder,
    home,
    project,
    run,
    json,

    async fails(args, runOptions) {
      const { exitCode, stdout, stderr } = await run([...args, '-o', 'json'], runOptions)
      expect(exitCode, `basalt ${args.join(' ')} succeeded\n${stdout}`).not.toBe(0)
      expect(stdout, stderr).not.toBe('')
      const document = JSON.parse(stdout) as WireError & { readonly error?: WireError }
      return { ...(document.error ?? document), exitCode: exitCode ?? -1 }
    },

    commit() {
      const git = (...args: string[]) =>
        execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
          cwd: project,
          stdio: 'pipe',
        })
      git('init', '--quiet')
      git('add', '--all')
      git('commit', '--quiet', '--allow-empty', '--message', 'a state')
    },

    async close() {
      try {
        const removed = await run(['remove', '--data', '--yes'], { folder, timeoutMs: removePatienceMs })
        expect(removed.exitCode, removed.stderr).toBe(0)
        expect(await machineTraces(home)).toEqual(noTraces)
      } finally {
        await sweepTraces(home)
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
