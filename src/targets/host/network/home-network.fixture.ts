import { openHomeNetwork } from './home-network.ts'

/**
 * Run as `node home-network.fixture.ts open|watch|remove <home>`, in a network namespace that stands for a machine.
 * `watch` goes on until it has reported something.
 */
const [, , verb, home = ''] = process.argv
const network = await openHomeNetwork(home)
if (verb === 'remove') await network.remove()
if (verb === 'watch') {
  // The watch alone keeps no process running.
  const awake = setInterval(() => {}, 1000)
  const endWatch = network.watch(({ code }) => {
    process.stdout.write(`${code}\n`)
    clearInterval(awake)
    void endWatch()
  })
  process.stdout.write('watching\n')
}
