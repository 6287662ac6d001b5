import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './bench-home.ts'

const program = '/usr/bin/docker-registry'
const startPatienceMs = 20_000

/** Why there can be none here, or null. */
export const dockerRegistryMissing = (): string | null =>
  existsSync(program)
    ? null
    : 'needs docker-registry: apt-get install --no-install-recommends docker-registry'

/** Debian's docker-registry on a port of its own, with its files in a folder of its own. */
export async function openDockerRegistry(parent: string) {
  const folder = mkdtempSync(join(parent, 'basalt-bench-registry-'))
  const address = `127.0.0.1:${await freePort()}`
  const file = join(folder, 'config.yml')
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: address },
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(settings))
  const child = spawn(program, ['serve', file], { stdio: 'ignore' })
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
  const deadline = performance.now() + startPatienceMs
  while (!(await answers(address))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await close()
      throw new Error('docker-registry does not answer')
    }
    await sleep(50)
  }
  return { address, authorization: null, pid: child.pid ?? 0, close }
}

const answers = (address: string): Promise<boolean> =>
  fetch(`http://${address}/v2/`).then(
    ({ ok }) => ok,
    () => false,
  )
