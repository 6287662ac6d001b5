import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EnvironmentId, GroupId } from '../../core/ids.ts'
import type { RouteEntry, RouteTable } from '../../core/route-table.ts'
import { assertRoutable, entryKey, routeMap, tablesOf } from './route-map.ts'
import { emptyState, type RouterState } from './router-state.ts'

const environments = ['shop/live', 'shop/staging'] as EnvironmentId[]

/** Each environment has groups of its own, each with one http and one tcp port. */
const groups = Object.fromEntries(
  environments.flatMap((environment, of) =>
    [0, 1, 2].map((number) => [
      `${of}-${number}`,
      {
        environment,
        ports: [],
        address: '10.0.128.1',
        slots: [
          { slot: `h${of * 10 + number}`, port: 80, protocol: 'http' },
          { slot: `t${of * 10 + number}`, port: 5432, protocol: 'tcp' },
        ],
        members: {},
        handedTo: null,
        forgotten: false,
        leaving: false,
        baseline: { process: '', counters: {} },
      },
    ]),
  ),
) as unknown as RouterState['groups']

const entry = (of: number): fc.Arbitrary<RouteEntry> =>
  fc.oneof(
    fc.record({
      kind: fc.constant('http' as const),
      entryPort: fc.integer({ min: 1000, max: 1003 }),
      host: fc.constantFrom('*', 'a.example', 'b.example'),
      path: fc.constantFrom('/', '/api', '/api/v2', '/tcp:'),
      group: fc.constantFrom(`${of}-0`, `${of}-1`, `${of}-2`) as fc.Arbitrary<GroupId>,
      port: fc.constant(80),
    }),
    fc.record({
      kind: fc.constant('tcp' as const),
      entryPort: fc.integer({ min: 2000, max: 2003 }),
      group: fc.constantFrom(`${of}-0`, `${of}-1`, `${of}-2`) as fc.Arbitrary<GroupId>,
      port: fc.constant(5432),
    }),
  )

const table = (of: number): fc.Arbitrary<RouteTable> =>
  fc.record({
    environment: fc.constant(environments[of] as EnvironmentId),
    generation: fc.integer({ min: 1, max: 99 }),
    entries: fc.uniqueArray(entry(of), { selector: entryKey, maxLength: 8 }),
  })

describe('the route map', () => {
  it('says all that the tables say, and nothing else', () => {
    fc.assert(
      fc.property(table(0), table(1), (one, other) => {
        fc.pre(
          one.entries.every((entry) => !other.entries.some((theirs) => entryKey(theirs) === entryKey(entry))),
        )
        assertRoutable(one, [other])
        const tables = { [one.environment]: one, [other.environment]: other }
        const state: RouterState = { ...emptyState, groups, tables }
        expect(tablesOf(routeMap(state), state)).toEqual(tables)
      }),
    )
  })

  it('ends paths in a slash, so that a prefix ends where a segment ends', () => {
    const http = { kind: 'http', entryPort: 8080, host: '*', group: '0-0' as GroupId, port: 80 } as const
    expect(entryKey({ ...http, path: '/' })).toBe(':8080|*/')
    expect(entryKey({ ...http, path: '/api' })).toBe(':8080|*/api/')
    expect(entryKey({ ...http, path: '/api/' })).toBe(':8080|*/api/')
  })

  it('refuses one port for two protocols, of one environment or two', () => {
    const [live, staging] = environments as [EnvironmentId, EnvironmentId]
    const http = {
      kind: 'http',
      entryPort: 80,
      host: '*',
      path: '/',
      group: '0-0' as GroupId,
      port: 80,
    } as const
    const tcp = { kind: 'tcp', entryPort: 80, group: '1-0' as GroupId, port: 5432 } as const
    const of = (environment: EnvironmentId, ...entries: RouteEntry[]): RouteTable => ({
      environment,
      generation: 1,
      entries,
    })
    expect(() => assertRoutable(of(staging, tcp), [of(live, http)])).toThrow('tcp port 80')
    expect(() => assertRoutable(of(live, http, tcp), [])).toThrow('twice')
    expect(() => assertRoutable(of(live, { ...http, path: '/a b' }), [])).toThrow('cannot be routed')
  })

  it('refuses a group or a port that it does not know', () => {
    const entries = (entry: Partial<RouteEntry>) =>
      ({
        ...emptyState,
        groups,
        tables: {
          'shop/live': {
            environment: 'shop/live',
            generation: 1,
            entries: [{ kind: 'tcp', entryPort: 1, group: '0-0', port: 5432, ...entry }],
          },
        },
      }) as unknown as RouterState
    expect(() => routeMap(entries({ group: 'x' as GroupId }))).toThrow('does not know the group x')
    expect(() => routeMap(entries({ port: 80 }))).toThrow('no port 80 that speaks tcp')
  })
})
