import { describe, it } from 'vitest'
import { describeInstanceBehaviour } from '../host/instance-behaviour.contract.ts'
import { missing, openLocalWorld } from './local-target.fixture.ts'

const reason = missing()
if (reason === null)
  describeInstanceBehaviour('local', async () => {
    const world = await openLocalWorld()
    return {
      target: world.target,
      image: world.image,
      address: async (instance) => (await world.record(instance)).address,
      kill: (instance) => world.kill(instance),
      close: () => world.close(),
    }
  })
else describe('instances of the local target', () => it('cannot run here', (ctx) => ctx.skip(reason)))
