import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installBasalt } from '../test/installed-basalt.fixture.ts'
import { sweepTraces } from '../test/machine-traces.fixture.ts'

/** As in a person's shell: without the folders that npm puts before PATH, where another Node stands. */
const shellPath = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.includes('node_modules'))
  .join(':')

/** A state folder and a project folder of a bench's own, and the real command line tool for them. */
export interface BenchHome {
  /** BASALT_HOME. */
  readonly home: string
  /** An empty folder for basalt.yaml. */
  readonly project: string
  /** Runs the real bin/basalt with `-o json`, as a person would; it must succeed. */
  run<Document>(...args: readonly string[]): Promise<TimedCommand<Document>>
  /** Makes a Git repository of the project. */
  commit(): void
  /** Takes everything off the machine. */
  close(): Promise<void>
}

export interface TimedCommand<Document> {
  /** From the start of the process to its end, with all of its output. */
  readonly tookMs: number
  readonly document: Document
}

/** Bundles the sources as they are now, laid out as an installed package is. */
/** @param environment beside PATH, HOME and BASALT_HOME; a server that a command starts inherits it */
export function openBenchHome(environment: Readonly<Record<string, string>> = {}): BenchHome {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-bench-'))
  chmodSync(folder, 0o755)
  const [home, project, installed] = ['home', 'project', 'package'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const name of [project, installed]) mkdirSync(name)
  const basalt = installBasalt(installed)

  async function run<Document>(...args: readonly string[]): Promise<TimedCommand<Document>> {
    const begun = performance.now()
    const child = spawn(basalt, [...args, '-o', 'json'], {
      cwd: project,
      env: { PATH: shellPath, HOME: folder, BASALT_HOME: home, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text
      })
    const [exitCode] = (await once(child, 'close')) as [number | null]
    const tookMs = performance.now() - begun
    if (exitCode !== 0) throw new Error(`basalt ${args.join(' ')}: ${texts.stderr}${texts.stdout}`)
    return { tookMs, document: JSON.parse(texts.stdout) as Document }
  }

  return {
    home,
    project,
    run,
    commit() {
      const author = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.org']
      for (const args of [
        ['init', '--quiet'],
        ['add', '--all'],
        ['commit', '--quiet', '--message', 'a state'],
      ])
        execFileSync('git', [...author, ...args], { cwd: project })
    },
    async close() {
      try {
        await run('remove', '--data', '--yes')
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
