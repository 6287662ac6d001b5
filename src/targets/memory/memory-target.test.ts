import { digestOf } from '../../core/digest.ts'
import { groupId } from '../../core/ids.ts'
import { BasaltError } from '../../errors.ts'
import { describeTargetContract, type GroupWish } from '../target.contract.ts'
import { createMemoryTarget, type MemoryCall } from './memory-target.ts'
import { createMemoryWorld } from './memory-world.ts'

const timing = { intervalMs: 1000, timeoutMs: 1000, startMs: 500, retries: 3 }

function groupFor(wish: GroupWish) {
  const volumes = wish.volume === undefined ? [] : [{ name: wish.volume, path: '/data' }]
  return {
    id: groupId(wish.service, digestOf({ ...wish, replicas: 0 })),
    environment: wish.environment,
    service: wish.service,
    image: digestOf(wish.version),
    run: {
      command: null,
      env: { BEHAVIOUR: wish.behaviour ?? 'healthy' },
      ports: [{ port: 8080, protocol: 'http' as const }],
      health: { kind: 'http' as const, path: '/up', port: 8080, ...timing },
      needs: [],
      writable: [],
      volumes,
      stateful: volumes.length > 0,
      limits: { memoryBytes: null, cpus: null, pids: 64 },
      user: null,
      capabilities: [],
      stop: { signal: 'SIGTERM', graceMs: 1000 },
    },
    needs: {},
    replicas: wish.replicas ?? 1,
  }
}

async function misbehave(call: MemoryCall, op: { readonly signal: AbortSignal }): Promise<void> {
  if (call.verb !== 'start') return
  const behaviour = call.group.run.env.BEHAVIOUR
  if (behaviour === 'dies')
    throw new BasaltError('group.died', { message: `${call.group.id} ended with exit code 1` })
  if (behaviour !== 'never-healthy') return
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, call.group.run.health.startMs)
    op.signal.addEventListener('abort', () => resolve(clearTimeout(timer)))
  })
  throw new BasaltError('group.unhealthy', { message: `${call.group.id} never answered` })
}

describeTargetContract('memory', async () => {
  const world = createMemoryWorld()
  const open = () => createMemoryTarget({ world, now: Date.now, before: misbehave })
  const target = open()
  let port = 10_000
  return {
    target,
    reopen: async () => open(),
    group: groupFor,
    kill: async (instance) => target.kill(instance),
    spoil: async (instance) => target.spoil(instance),
    entryPort: async () => ++port,
    close: async () => {},
  }
})
