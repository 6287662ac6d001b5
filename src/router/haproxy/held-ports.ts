import { type HeldPort, holdPort } from './held-port.ts'

/** The ports that a server keeps from other programs for its HAProxy. */
export interface HeldPorts {
  /** All of them or none; those that are held already stay so. Rejects with `port.taken`. */
  hold(ports: readonly number[]): Promise<void>
  release(): Promise<void>
}

export function createHeldPorts(ipv6: boolean): HeldPorts {
  const held = new Map<number, HeldPort>()
  return {
    async hold(ports) {
      const added: HeldPort[] = []
      try {
        for (const port of ports) if (!held.has(port)) added.push(await holdPort(port, ipv6))
      } catch (error) {
        await Promise.all(added.map((one) => one.release()))
        throw error
      }
      for (const one of added) held.set(one.port, one)
    },
    async release() {
      await Promise.all([...held.values()].map((one) => one.release()))
      held.clear()
    },
  }
}
