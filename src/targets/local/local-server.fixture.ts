import { fakeRouter, groupSpec, op, openLocalWorld } from './local-target.fixture.ts'

/** A server in miniature, to be killed: starts three instances in the home of its first argument. */
const [, , home] = process.argv
// Whoever waited for a word may read no further ones.
process.stdout.on('error', () => {})
const world = await openLocalWorld(fakeRouter, home)
const group = groupSpec(world.image, 'web', {}, { replicas: 3 })
await world.target.prepare([group], op())
process.stdout.write('starting\n')
await world.target.start(group, op())
process.stdout.write('started\n')
setInterval(() => {}, 1000)
