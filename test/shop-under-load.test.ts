import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLoad } from '../bench/load/load.ts'
import type { DeploymentResult, StatusResult } from '../src/engine/engine.ts'
import { instanceNames, machineTraces } from './machine-traces.fixture.ts'
import { openShop, type Shop } from './shop.fixture.ts'

const rounds = 25
const leastAnswersPerRound = 100
/** Of an instance: its keeper, the runtime, the service. */
const processesPerInstance = 3

describe('the shop under constant load', () => {
  let shop: Shop

  beforeAll(async () => {
    shop = await openShop()
    await shop.json(['deploy', '-e', 'staging'])
  }, 180_000)
  afterAll(() => shop.close(), 120_000)

  it(`loses and mixes nothing in ${rounds} deploys and ${rounds} rollbacks in a row, and leaks nothing`, async () => {
    const url = `http://127.0.0.1:${shop.port}/`
    const before = await machineTraces(shop.home)
    const rootsBefore = readdirSync(join(shop.home, 'roots'))
    const load = startLoad({
      url,
      rate: 2000,
      keepAlive: 16,
      newConnections: 4,
      timeoutMs: 20_000,
      expectSameStamp: true,
    })
    const serves: string[] = []
    for (let round = 0; round < rounds; round++) {
      const answersBefore = load.answers()
      shop.stamp(`${round + 2}`)
      const deployed = await shop.json<DeploymentResult>(['deploy', '-e', 'staging'])
      expect(deployed).toMatchObject({ outcome: 'succeeded', requests: { failed: 0 } })
      const returned = await shop.json<DeploymentResult>(['rollback', '-e', 'staging', '--yes'])
      expect(returned).toMatchObject({
        outcome: 'succeeded',
        requests: { failed: 0 },
        groups: { started: [] },
      })
      // Far less than the load asks for, but a round without traffic would show nothing.
      expect(load.answers() - answersBefore).toBeGreaterThan(leastAnswersPerRound)
      serves.push(deployed.release?.name ?? '', returned.release?.name ?? '')
    }
    const report = await load.stop()
    expect(report.failures).toEqual({})
    expect(report).toMatchObject({ failed: 0, mixed: 0 })
    console.log(`${report.requests} requests, ${Math.round(report.ratePerSecond)} a second`)
    expect(new Set(serves).size).toBe(rounds + 1)
    // Every switch is seen by the clients exactly once, in order: nobody hops between releases.
    expect(report.periods.length).toBe(2 * rounds + 1)

    // The last generation and the warm one beside it: what there is now is bounded, whatever came before.
    const after = await machineTraces(shop.home)
    const { environments } = await shop.json<StatusResult>(['status'])
    expect(environments).toMatchObject([{ state: 'serving', drift: [] }])
    expect(await instanceNames(shop.home)).toHaveLength(9)
    expect(after.bridges).toEqual(before.bridges)
    expect(after.tables).toEqual(before.tables)
    expect(after.namespaces.length).toBeLessThanOrEqual(before.namespaces.length + 9)
    expect(after.mounts).toEqual(before.mounts)
    expect(after.processes.length).toBeLessThanOrEqual(before.processes.length + 4 * processesPerInstance)
    expect(readdirSync(join(shop.home, 'roots'))).toEqual(rootsBefore)
  }, 900_000)
})
