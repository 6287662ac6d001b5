import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DeploymentResult, PlanResult } from '../src/engine/engine.ts'
import { type Dockerd, dockerdMissing, openDockerd } from '../src/targets/docker/dockerd.fixture.ts'
import type { RunOptions } from './basalt-home.fixture.ts'
import { openShop, type Shop } from './shop.fixture.ts'

describe('the shop moves to Docker', () => {
  let shop: Shop
  let dockerd: Dockerd

  beforeAll(async () => {
    if (dockerdMissing() !== null) return
    dockerd = await openDockerd()
    shop = await openShop()
  }, 120_000)
  beforeEach((context) => {
    const reason = dockerdMissing()
    if (reason !== null) context.skip(reason)
  })
  afterAll(async () => {
    try {
      await shop?.close()
    } finally {
      await dockerd?.close()
    }
  }, 120_000)

  const options = (): RunOptions => ({ environment: { DOCKER_HOST: `unix://${dockerd.socketPath}` } })
  const visit = async (cookie: string): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${shop.port}/`, { headers: { cookie } })).text()

  it('by one changed line, as the same release, with its carts', async () => {
    const first = await shop.json<DeploymentResult>(['deploy', '-e', 'staging'], options())
    const added = await fetch(`http://127.0.0.1:${shop.port}/cart`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ product: 'slate' }),
    })
    const cookie = added.headers.get('set-cookie')?.split(';')[0] ?? ''
    expect(await visit(cookie)).toContain('1 × Slate')

    const file = join(shop.project, 'basalt.yaml')
    const manifest = readFileSync(file, 'utf8')
    writeFileSync(file, manifest.replace('  staging:\n', '  staging:\n    target: docker\n'))
    const release = first.release?.name ?? ''
    const plan = await shop.json<PlanResult>(['plan', release, '-e', 'staging'], options())
    expect(plan.changes.map(({ service, why }) => [service, why[0]])).toEqual(
      ['api', 'cache', 'web'].map((service) => [service, 'moves from target local to docker']),
    )
    const moved = await shop.json<DeploymentResult>(['deploy', release, '-e', 'staging'], options())
    expect(moved).toMatchObject({ outcome: 'succeeded', release: first.release })
    // The volume is the same one, and had one writer at a time.
    expect(await visit(cookie)).toContain('1 × Slate')

    const back = await shop.json<DeploymentResult>(['rollback', '-e', 'staging', '--yes'], options())
    expect(back).toMatchObject({ outcome: 'succeeded', release: first.release })
    expect(await visit(cookie)).toContain('1 × Slate')
  }, 180_000)
})
