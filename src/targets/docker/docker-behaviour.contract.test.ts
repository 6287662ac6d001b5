import { describe, it } from 'vitest'
import { describeInstanceBehaviour } from '../host/instance-behaviour.contract.ts'
import { missing, openDockerWorld } from './docker-target.fixture.ts'

const reason = missing()
if (reason === null)
  describeInstanceBehaviour('docker', async () => {
    const world = await openDockerWorld()
    return {
      target: world.target,
      image: world.image,
      address: (instance) => world.address(instance),
      kill: (instance) => world.engine.kill(world.container(instance), 'SIGKILL'),
      close: () => world.close(),
    }
  })
else describe('instances of the docker target', () => it('cannot run here', (ctx) => ctx.skip(reason)))
