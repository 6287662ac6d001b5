import { openLocalNetwork } from './local-network.ts'

/** Run as `node local-network.fixture.ts open|remove <home>`, in a network namespace that stands for a machine. */
const [, , verb, home = ''] = process.argv
const network = await openLocalNetwork(home)
if (verb === 'remove') await network.remove()
