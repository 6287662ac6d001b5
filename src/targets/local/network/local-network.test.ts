import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../../util/exec.ts'
import { missing, newHome } from '../local-target.fixture.ts'
import { type LocalNetwork, openLocalNetwork } from './local-network.ts'

describe('the network of a home', () => {
  let home: string
  let network: LocalNetwork

  beforeEach(async (context) => {
    const reason = missing()
    if (reason !== null) return context.skip(reason)
    home = await newHome()
    network = await openLocalNetwork(home)
  })
  afterEach(async () => {
    if (missing() !== null) return
    await network.remove()
    await rm(home, { recursive: true, force: true })
  })

  const rules = async (): Promise<string> =>
    (await exec('nft', ['list', 'table', 'inet', network.plan.firewallTable])).stdout

  it('has its firewall again after another program removed it, and says so', async () => {
    const reports: string[] = []
    const endWatch = network.watch(({ code, message }) => reports.push(`${code}: ${message}`))
    const before = await rules()
    expect(before).toContain('masquerade')
    await exec('nft', ['delete', 'table', 'inet', network.plan.firewallTable])
    expect(await rules()).toBe('')
    await expect.poll(rules, { timeout: 30_000, interval: 100 }).toBe(before)
    await expect.poll(() => reports).toEqual([expect.stringContaining('network.rules-lost')])
    await endWatch()
  }, 60_000)
})
