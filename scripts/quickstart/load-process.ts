import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { LoadReport } from '../../bench/load/load-report.ts'

const loadProgram = resolve(import.meta.dirname, '../../bench/load/main.ts')

/** The load generator in a process of its own, as its clients are. */
export class LoadProcess {
  readonly #child: ChildProcess
  #stdout = ''

  constructor(url: string, ratePerSecond: number) {
    const args = ['--url', url, '--rate', `${ratePerSecond}`, '--keep-alive', '8', '--new', '2']
    this.#child = spawn(process.execPath, [loadProgram, ...args, '--expect-same-stamp', '-o', 'json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text))
    process.once('exit', () => this.#child.kill('SIGKILL'))
  }

  async stop(): Promise<LoadReport> {
    this.#child.kill('SIGTERM')
    if (this.#child.exitCode === null) await once(this.#child, 'close')
    return JSON.parse(this.#stdout) as LoadReport
  }
}
