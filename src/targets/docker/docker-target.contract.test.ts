import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import type { InstanceId } from '../../core/ids.ts'
import { createHaproxyRouter } from '../../router/haproxy/haproxy-router.ts'
import { exec } from '../../util/exec.ts'
import { freePort, get, groupFor } from '../local/local-target.fixture.ts'
import { describeTargetContract } from '../target.contract.ts'
import { type DockerWorld, missing, openDockerWorld } from './docker-target.fixture.ts'

/** Its server answers nobody any more, and its first process, which waits for the server, goes on. */
async function suspendServer(world: DockerWorld, instance: InstanceId): Promise<void> {
  const { pid = 0 } = (await world.engine.inspect(world.container(instance))) ?? {}
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
  for (const child of children) process.kill(Number(child), 'SIGSTOP')
}

const reason = missing()
if (reason === null)
  describeTargetContract('docker', async () => {
    const world = await openDockerWorld(async (home, network) =>
      createHaproxyRouter({ folder: join(home, 'router'), network, exec, now: Date.now }),
    )
    return {
      get target() {
        return world.target
      },
      reopen: () => world.reopen(),
      group: (wish) => groupFor(world.image, wish),
      kill: (instance) => world.engine.kill(world.container(instance), 'SIGKILL'),
      spoil: (instance) => suspendServer(world, instance),
      entryPort: freePort,
      request: get,
      close: () => world.close(),
    }
  })
else describe('Target contract: docker', () => it('cannot run here', (ctx) => ctx.skip(reason)))
