import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import type { InstanceId } from '../../core/ids.ts'
import { createHaproxyRouter } from '../../router/haproxy/haproxy-router.ts'
import { exec } from '../../util/exec.ts'
import { describeTargetContract } from '../target.contract.ts'
import { freePort, get, groupFor, type LocalWorld, missing, openLocalWorld } from './local-target.fixture.ts'

/** Its server answers nobody any more, and its first process, which waits for the server, goes on. */
async function suspendServer(world: LocalWorld, instance: InstanceId): Promise<void> {
  const { pid } = (await world.record(instance)).process
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
  for (const child of children) process.kill(Number(child), 'SIGSTOP')
}

const reason = missing()
if (reason === null)
  describeTargetContract('local', async () => {
    const world = await openLocalWorld(async (home, network) =>
      createHaproxyRouter({ folder: join(home, 'router'), network, exec, now: Date.now }),
    )
    return {
      get target() {
        return world.target
      },
      reopen: () => world.reopen(),
      group: (wish) => groupFor(world.image, wish),
      kill: (instance) => world.kill(instance),
      spoil: (instance) => suspendServer(world, instance),
      entryPort: freePort,
      request: get,
      close: () => world.close(),
    }
  })
else describe('Target contract: local', () => it('cannot run here', (ctx) => ctx.skip(reason)))
