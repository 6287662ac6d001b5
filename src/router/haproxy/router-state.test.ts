import { describe, expect, it } from 'vitest'
import type { EnvironmentId } from '../../core/ids.ts'
import { chooseSlots, edgeKind } from './choose-slots.ts'
import { renderConfig } from './haproxy-config.ts'
import { type GroupRecord, parseState, type RouterState, serialiseState } from './router-state.ts'
import { addressRanges, chooseAddress } from './service-address.ts'
import { afterReboot } from './state-file.ts'

const group = {
  environment: 'shop/live' as EnvironmentId,
  ports: [{ port: 80, protocol: 'http' }],
  address: '10.9.128.7',
  slots: [{ slot: 'h1', port: 80, protocol: 'http' }],
  members: { 'web-1.0': '10.9.0.5' },
  handedTo: null,
  forgotten: false,
  leaving: false,
  baseline: { process: 'x', counters: { h1: { requests: 3, failed: 1 } } },
} as unknown as GroupRecord
const state: RouterState = {
  schema: 'basalt.router/v1',
  bootId: 'boot-1',
  entryPorts: [{ port: 8080, protocol: 'http' }],
  groups: { 'web-1': group } as RouterState['groups'],
  tables: {
    'shop/live': {
      environment: 'shop/live' as EnvironmentId,
      generation: 2,
      entries: [
        { kind: 'http', entryPort: 8080, host: '*', path: '/', group: 'web-1', port: 80 },
        { kind: 'tcp', entryPort: 5432, group: 'web-1', port: 80 },
      ],
    },
  } as unknown as RouterState['tables'],
  nextSlot: { http: 2, tcp: 0 },
  retired: { 'shop/live': { process: 'x', requests: 9, failed: 0 } } as RouterState['retired'],
}

describe('the record of a router', () => {
  it('is read back as it was written', () => {
    expect(parseState(serialiseState(state), 'router.json')).toEqual(state)
  })

  it('is refused when it is damaged', () => {
    for (const text of ['', '{}', serialiseState(state).replace('10.9.128.7', 'x')])
      expect(() => parseState(text, 'router.json')).toThrow('router.json cannot be read')
  })

  it('keeps of another boot what the routes need, and no instance', () => {
    const groups = { ...state.groups, 'old-1': { ...group, address: '10.9.128.8' } }
    const { tables, entryPorts, ...after } = afterReboot({ ...state, groups }, 'boot-2')
    expect({ tables, entryPorts }).toEqual({ tables: state.tables, entryPorts: state.entryPorts })
    expect(after).toMatchObject({ bootId: 'boot-2', retired: {} })
    expect(after.groups).toEqual({ 'web-1': { ...group, members: {} } })
  })

  it('makes a configuration with every instance in its slot', () => {
    const config = renderConfig({
      network: {
        bridge: 'b',
        gateway: '10.9.0.1',
        serviceRange: { cidr: '10.9.128.0/17', first: '10.9.128.0', count: 32_768 },
        table: 't',
      },
      settings: { slots: { http: 2, tcp: 1 }, threads: 2, maxConnections: 100, user: 'haproxy', ipv6: true },
      listeners: { edgeHttp: 1, edgeTcp: 2, lateHttp: 3, lateTcp: 4 },
      entryPorts: [{ port: 8080, protocol: 'http' }],
      state,
    })
    expect(config.slice(config.indexOf('backend h0'))).toBe(
      'backend h0 from http\n' +
        'backend h1 from http\n' +
        '  server web-1.0 10.9.0.5:80 check inter 2s fastinter 250ms downinter 500ms rise 1 fall 3 pool-max-conn -1 pool-purge-delay 1s\n' +
        'backend t0 from tcp\n',
    )
    expect(config).toContain('  bind 0.0.0.0:8080\n  bind [::]:8080 v6only\n  bind 0.0.0.0:3\n')
    expect(config).toContain('  bind 10.9.0.1:1\n  bind 127.0.0.1:1\n')
  })
})

describe('what a new group gets', () => {
  const range = { first: '10.9.128.0', last: '10.9.128.6' }

  it('is an address of its own, the same for the same name while it is free', () => {
    const taken = new Set<string>()
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const address = chooseAddress(name, range, taken)
      expect(taken).not.toContain(address)
      expect(chooseAddress(name, range, taken)).toBe(address)
      taken.add(address)
    }
    expect(taken).not.toContain(range.first)
    expect(taken).not.toContain(range.last)
    expect(() => chooseAddress('f', range, taken)).toThrow('all 5 service addresses')
  })

  it('is an address of the half that speaks its protocol', () => {
    expect(addressRanges({ cidr: '10.9.128.0/17', first: '10.9.128.0', count: 32_768 })).toEqual({
      http: { first: '10.9.128.0', last: '10.9.191.255' },
      tcp: { first: '10.9.192.0', last: '10.9.255.255' },
    })
    expect(edgeKind([])).toBe('tcp')
    expect(
      edgeKind([
        { port: 1, protocol: 'http' },
        { port: 2, protocol: 'tcp' },
      ]),
    ).toBe('tcp')
  })

  it('is a free slot for each port, the longest unused one first', () => {
    const counts = { http: 3, tcp: 1 }
    const { slots, nextSlot } = chooseSlots(state, [{ port: 90, protocol: 'http' }], counts)
    expect(slots).toEqual([{ slot: 'h2', port: 90, protocol: 'http' }])
    expect(nextSlot).toEqual({ http: 0, tcp: 0 })
    const two = [
      { port: 90, protocol: 'http' },
      { port: 91, protocol: 'tcp' },
    ] as const
    expect(() => chooseSlots(state, two, counts)).toThrow('all 1 tcp slots')
  })
})
