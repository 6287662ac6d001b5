import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeContract } from '../store.contract.ts'
import type { Store } from '../store.ts'
import { openSqliteStore } from './sqlite-store.ts'

storeContract('sqlite', async (now) => {
  const folder = await mkdtemp(join(tmpdir(), 'basalt-sqlite-store-'))
  const open = (): Store => openSqliteStore({ path: join(folder, 'ledger.db'), now })
  let store = open()
  return {
    store,
    reopen: async () => {
      await store.close()
      store = open()
      return store
    },
    dispose: async () => {
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
