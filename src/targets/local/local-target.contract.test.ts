import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import type { InstanceId } from '../../core/ids.ts'
import type { HealthCheck } from '../../core/system.ts'
import { createHaproxyRouter } from '../../router/haproxy/haproxy-router.ts'
import { exec } from '../../util/exec.ts'
import { describeTargetContract, type GroupWish } from '../target.contract.ts'
import {
  freePort,
  groupSpec,
  httpHealth,
  httpServer,
  type LocalWorld,
  missing,
  openLocalWorld,
} from './local-target.fixture.ts'

const behaviours = {
  healthy: { command: httpServer, health: httpHealth },
  'never-healthy': {
    command: ['/bin/sh', '-c', 'echo no server here; sleep 1000'],
    health: { ...httpHealth, startMs: 500 } satisfies HealthCheck,
  },
  dies: { command: ['/bin/sh', '-c', 'echo cannot go on; exit 3'], health: httpHealth },
} as const

function groupFor(world: LocalWorld, wish: GroupWish) {
  return groupSpec(
    world.image,
    wish.service,
    {
      ...behaviours[wish.behaviour ?? 'healthy'],
      env: { VERSION: wish.version },
      volumes: wish.volume === undefined ? [] : [{ name: wish.volume, path: '/data' }],
      stateful: wish.volume !== undefined,
    },
    { environment: wish.environment, replicas: wish.replicas ?? 1 },
  )
}

function get(port: number, host: string, path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const ask = request({ host: '127.0.0.1', port, path, agent: false, headers: { host } }, (answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      answer.on('end', () => resolve(answer.statusCode === 200 ? body : null))
    })
    ask.on('error', () => resolve(null))
    ask.end()
  })
}

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
      group: (wish) => groupFor(world, wish),
      kill: (instance) => world.kill(instance),
      spoil: (instance) => suspendServer(world, instance),
      entryPort: freePort,
      request: get,
      close: () => world.close(),
    }
  })
else describe('Target contract: local', () => it('cannot run here', (ctx) => ctx.skip(reason)))
