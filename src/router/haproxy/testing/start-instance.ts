import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface TestInstance {
  readonly pid: number
  /** Resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const program = fileURLToPath(new URL('instance.ts', import.meta.url))

/** Starts testing/instance.ts; `within` runs it elsewhere, in a network namespace for example. */
export async function startInstance(
  address: string,
  port: number,
  release: string,
  upstream?: string,
  within: readonly string[] = [],
): Promise<TestInstance> {
  const own = [program, address, String(port), release, ...(upstream === undefined ? [] : [upstream])]
  const [file = '', ...args] = [...within, process.execPath, '--disable-warning=ExperimentalWarning', ...own]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const died = ended.then(() => {
    throw new Error(`${file} ${args.join(' ')} ended`)
  })
  await Promise.race([once(child.stdout, 'data'), died])
  // From now on it may end.
  died.catch(() => {})
  return {
    pid: child.pid ?? 0,
    end: async (signal) => {
      child.kill(signal)
      await ended
    },
  }
}
