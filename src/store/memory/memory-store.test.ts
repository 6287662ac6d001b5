import { storeContract } from '../store.contract.ts'
import { createMemoryStore } from './memory-store.ts'

storeContract('memory', async (now) => {
  const store = createMemoryStore({ now })
  return { store, reopen: null, dispose: () => store.close() }
})
