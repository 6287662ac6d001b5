import type { TreeHead } from '../store/store.ts'

/** A tree head as people keep it: `21:3f…`, the number of events and the root hash over them. */
export const formatTreeHead = ({ size, rootHash }: TreeHead): string => `${size}:${rootHash}`

/** Undefined: it is none. */
export function parseTreeHead(text: string): TreeHead | undefined {
  const [, size, rootHash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? []
  return size === undefined || rootHash === undefined ? undefined : { size: Number(size), rootHash }
}
