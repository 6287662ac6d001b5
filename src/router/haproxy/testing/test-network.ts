import { randomInt } from 'node:crypto'
import { execOrThrow } from '../../../util/exec.ts'
import type { RouterNetwork } from '../../router-network.ts'

/** A bridge of its own, as the local target makes one for a home, with places for clients and instances. */
export interface TestNetwork {
  readonly router: RouterNetwork
  /** Makes a network namespace on the bridge; `number` (2 to 250) is the last octet of its address. */
  place(number: number): Promise<TestPlace>
  remove(): Promise<void>
}

export interface TestPlace {
  readonly address: string
  /** Arguments that run a program there. */
  readonly within: readonly string[]
}

const ip = (...args: string[]) =>
  execOrThrow('network.setup-failed', `ip ${args.join(' ')}`, 'ip', args, { timeoutMs: 10_000 })

export async function createTestNetwork(): Promise<TestNetwork> {
  // Homes use 10.128.0.0/9.
  const octet = randomInt(64, 127)
  const name = `brt${randomInt(0x10000, 0xfffff).toString(16)}`
  const gateway = `10.${octet}.0.1`
  const namespaces: string[] = []
  await ip('link', 'add', name, 'type', 'bridge')
  await ip('addr', 'add', `${gateway}/16`, 'dev', name)
  await ip('link', 'set', name, 'up')
  return {
    router: {
      bridge: name,
      gateway,
      serviceRange: { cidr: `10.${octet}.128.0/17`, first: `10.${octet}.128.0`, count: 32_768 },
      table: `${name}-router`,
    },
    place: async (number) => {
      const namespace = `${name}-${number}`
      const address = `10.${octet}.0.${number}`
      await ip('netns', 'add', namespace)
      namespaces.push(namespace)
      const outside = `${name}${number}`
      await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
      await ip('link', 'set', outside, 'master', name, 'up')
      await ip('-n', namespace, 'addr', 'add', `${address}/17`, 'dev', 'eth0')
      await ip('-n', namespace, 'link', 'set', 'eth0', 'up')
      await ip('-n', namespace, 'link', 'set', 'lo', 'up')
      await ip('-n', namespace, 'route', 'add', 'default', 'via', gateway)
      return { address, within: ['ip', 'netns', 'exec', namespace] }
    },
    remove: async () => {
      for (const namespace of namespaces) await ip('netns', 'del', namespace)
      await ip('link', 'del', name)
    },
  }
}
