/**
 * Strongly connected components of a graph (Tarjan, 1972), dependencies first: a component comes after every
 * component that it points to. Iterative, so that a long chain cannot exhaust the stack. Members are sorted.
 */
export function components(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const open: string[] = []
  const isOpen = new Set<string>()
  const found: string[][] = []

  const enter = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.size - 1)
    open.push(node)
    isOpen.add(node)
  }
  const lower = (node: string, value: number): void => {
    low.set(node, Math.min(low.get(node) ?? value, value))
  }
  const close = (node: string): void => {
    if (low.get(node) !== index.get(node)) return
    const members = open.splice(open.lastIndexOf(node))
    for (const member of members) isOpen.delete(member)
    found.push(members.toSorted())
  }

  for (const root of [...graph.keys()].toSorted()) {
    if (index.has(root)) continue
    enter(root)
    const path = [{ node: root, next: 0 }]
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const target = graph.get(top.node)?.[top.next++]
      if (target === undefined) {
        path.pop()
        close(top.node)
        const parent = path.at(-1)
        if (parent !== undefined) lower(parent.node, low.get(top.node) ?? 0)
      } else if (!index.has(target)) {
        enter(target)
        path.push({ node: target, next: 0 })
      } else if (isOpen.has(target)) {
        lower(top.node, index.get(target) ?? 0)
      }
    }
  }
  return found
}
