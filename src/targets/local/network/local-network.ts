import type { HomeNetwork } from '../../host/network/home-network.ts'
import { createNamespacePool, type NamespacePool } from './namespace-pool.ts'

/** The network of a home, and namespaces in it. */
export interface LocalNetwork {
  readonly home: HomeNetwork
  readonly pool: NamespacePool
}

export function createLocalNetwork(home: HomeNetwork): LocalNetwork {
  const pool = createNamespacePool(home.plan)
  return {
    home,
    pool: {
      ...pool,
      take: async (count, op) => {
        await home.secured()
        return pool.take(count, op)
      },
    },
  }
}
