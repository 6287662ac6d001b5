import { readdir } from 'node:fs/promises'
import { coalesce } from '../../../util/coalesce.ts'
import { createAddressNumbers, numberRanges } from '../../host/network/address-numbers.ts'
import { ipBatchForced } from '../../host/network/ip-batch.ts'
import type { NetworkPlan } from '../../host/network/network-plan.ts'
import { makeNamespaces, type NetworkNamespace, namespaceFolder, namespaceOf } from './network-namespace.ts'

/** Makes and removes the network namespaces of one home; what exists is known by its name alone. */
export interface NamespaceStock {
  /** All or none: rejects with `network.setup-failed`. */
  make(count: number): Promise<readonly NetworkNamespace[]>
  remove(names: readonly string[]): Promise<void>
  /** Names of what an earlier server left, now known here. */
  find(): Promise<readonly string[]>
}

export function createNamespaceStock(plan: NetworkPlan): NamespaceStock {
  const numbers = createAddressNumbers(numberRanges.local)
  const prefix = `${plan.bridge}-`
  const numberOf = (name: string): number => Number(name.slice(prefix.length))
  const leaving = new Set<string>()

  /** Whatever is given up at the same time goes in one process. */
  const removeLeaving = coalesce(async () => {
    const names = [...leaving]
    leaving.clear()
    if (names.length === 0) return
    await ipBatchForced(names.map((name) => `netns del ${name}`))
    for (const name of names) numbers.free(numberOf(name))
  })

  const remove = async (names: readonly string[]): Promise<void> => {
    for (const name of names) leaving.add(name)
    // Also without names: what is being removed already is gone when this resolves.
    await removeLeaving()
  }

  return {
    remove,

    async make(count) {
      const namespaces = Array.from({ length: count }, () => namespaceOf(plan, numbers.next()))
      try {
        await makeNamespaces(plan, namespaces)
        return namespaces
      } catch (error) {
        await remove(namespaces.map(({ name }) => name))
        throw error
      }
    },

    async find() {
      const names = (await readdir(namespaceFolder).catch(() => [])).filter((name) => name.startsWith(prefix))
      for (const name of names) numbers.use(numberOf(name))
      return names
    },
  }
}
