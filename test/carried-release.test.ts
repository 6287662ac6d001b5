import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DeploymentResult, ReleaseList } from '../src/engine/engine.ts'
import { type BasaltHome, openBasaltHome } from './basalt-home.fixture.ts'
import { openShop, type Shop } from './shop.fixture.ts'

const cutOff = `basalt-cut-${process.pid}`

/** A network namespace with a loopback of its own and nothing else: no registry, no mirror, no name server. */
const withoutNetwork = (program: string, args: readonly string[]): string =>
  execFileSync('nsenter', [`--net=/run/netns/${cutOff}`, program, ...args], { encoding: 'utf8' })

describe('a release exported here', () => {
  let shop: Shop
  let other: BasaltHome

  beforeAll(async () => {
    shop = await openShop()
    other = openBasaltHome()
    execFileSync('ip', ['netns', 'add', cutOff])
    withoutNetwork('ip', ['link', 'set', 'lo', 'up'])
  }, 180_000)
  afterAll(async () => {
    await other.close()
    await shop.close()
    execFileSync('ip', ['netns', 'del', cutOff])
  }, 120_000)

  it('runs from an empty state folder with the network cut, under the same digest', async () => {
    await shop.json(['build'])
    const archive = join(shop.folder, 'shop.tar')
    const { exitCode, stderr } = await shop.run(['release', 'export', 'shop@1', archive])
    expect(exitCode, stderr).toBe(0)

    cpSync(join(shop.project, 'basalt.yaml'), join(other.project, 'basalt.yaml'))
    const options = { prefix: ['nsenter', `--net=/run/netns/${cutOff}`] }
    await other.json(['release', 'import', archive], options)
    const deployed = await other.json<DeploymentResult>(['deploy', 'shop@1', '-e', 'staging'], options)
    expect(deployed.outcome).toBe('succeeded')

    const { releases } = await shop.json<ReleaseList>(['releases'])
    expect(deployed.release?.digest).toBe(releases[0]?.release.digest)
    const page = withoutNetwork('curl', ['-si', `http://127.0.0.1:${shop.port}/`])
    expect(page).toMatch(/^HTTP\/1.1 200/)
    expect(page).toContain('x-stamp-api: 1')
  }, 180_000)
})
