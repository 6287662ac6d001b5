import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generationOf, services } from './arbitrary-generation.fixture.ts'
import { components } from './components.ts'
import type { GroupId } from './ids.ts'

const idsOf = (drawn: Parameters<typeof generationOf>[0], epoch = 0): ReadonlyMap<string, GroupId> =>
  new Map(generationOf(drawn, 1, epoch).groups.map(({ service, id }) => [service, id]))

describe('the identity of a group', () => {
  it('changes for a changed service and for all that need it, directly or not, and for nobody else', () => {
    fc.assert(
      fc.property(services, fc.nat(), (drawn, pick) => {
        const names = Object.keys(drawn)
        const changed = names[pick % names.length] ?? ''
        const spec = drawn[changed]
        if (spec === undefined) return
        const before = idsOf(drawn)
        const after = idsOf({ ...drawn, [changed]: { ...spec, version: spec.version + 10 } })
        const affected = new Set([changed])
        for (let size = 0; size !== affected.size; ) {
          size = affected.size
          for (const group of generationOf(drawn, 1).groups)
            if (Object.keys(group.needs).some((need) => affected.has(need))) affected.add(group.service)
        }
        for (const name of names) expect(before.get(name) !== after.get(name)).toBe(affected.has(name))
      }),
      { numRuns: 500 },
    )
  })

  it('does not depend on replicas, exposes or the number of the generation', () => {
    fc.assert(
      fc.property(services, (drawn) => {
        const other = Object.fromEntries(
          Object.entries(drawn).map(([name, spec]) => [
            name,
            { ...spec, replicas: 3, isExposed: !spec.isExposed },
          ]),
        )
        expect(idsOf(other)).toEqual(idsOf(drawn))
      }),
    )
  })

  it('is new for every group in a new epoch', () => {
    fc.assert(
      fc.property(services, (drawn) => {
        const [before, after] = [idsOf(drawn, 0), idsOf(drawn, 1)]
        for (const [name, id] of before) expect(after.get(name)).not.toBe(id)
      }),
    )
  })
})

describe('components', () => {
  const nodes = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  it('come after all that they point to, and hold what reaches each other', () => {
    const graph = fc.dictionary(fc.constantFrom(...nodes), fc.subarray(nodes))
    fc.assert(
      fc.property(graph, (drawn) => {
        const edges = new Map(
          Object.entries(drawn).map(([node, to]) => [node, to.filter((name) => drawn[name] !== undefined)]),
        )
        const found = components(edges)
        expect(found.flat().toSorted()).toEqual([...edges.keys()].toSorted())
        const position = new Map(
          found.flatMap((members, index) => members.map((member) => [member, index] as const)),
        )
        for (const [node, to] of edges)
          for (const target of to) expect(position.get(target)).toBeLessThanOrEqual(position.get(node) ?? -1)
        const reach = (start: string): Set<string> => {
          const seen = new Set<string>()
          const open = [...(edges.get(start) ?? [])]
          for (let next = open.pop(); next !== undefined; next = open.pop())
            if (!seen.has(next)) {
              seen.add(next)
              open.push(...(edges.get(next) ?? []))
            }
          return seen
        }
        for (const a of edges.keys())
          for (const b of [...edges.keys()].filter((other) => other !== a))
            expect(position.get(a) === position.get(b)).toBe(reach(a).has(b) && reach(b).has(a))
      }),
      { numRuns: 500 },
    )
  })

  it('take a chain of a hundred thousand', () => {
    const chain = new Map(
      Array.from({ length: 100_000 }, (_, index) => [`${index}`, index === 0 ? [] : [`${index - 1}`]]),
    )
    expect(components(chain)).toHaveLength(100_000)
  })
})
