import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildResult } from '../src/engine/engine.ts'
import { type BasaltHome, openBasaltHome } from './basalt-home.fixture.ts'
import { openShop, type Shop } from './shop.fixture.ts'

describe('two builds of the shop', () => {
  let shop: Shop
  let other: BasaltHome

  beforeAll(async () => {
    shop = await openShop()
    other = openBasaltHome()
  }, 180_000)
  afterAll(async () => {
    await other.close()
    await shop.close()
  }, 120_000)

  it('in other folders, by other users, with another umask, time zone and language, give the same digests', async () => {
    // The lock of the first build is committed, as the tool asks; the second one is of a clone.
    await shop.json(['build'])
    shop.commit()
    const first = await shop.json<BuildResult>(['build'])
    const folder = join(other.folder, 'elsewhere', 'a folder with spaces')
    cpSync(shop.project, folder, { recursive: true })
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (!entry.startsWith('.git')) utimesSync(join(folder, entry), new Date(0), new Date(86_400_000))
    execFileSync('chown', ['-R', '65534:65534', folder])
    execFileSync('chmod', ['-R', 'g-rwx,o-rwx', folder])

    const second = await other.json<BuildResult>(['build'], {
      folder,
      prefix: ['sh', '-c', 'umask 077; exec "$@"', 'sh'],
      environment: { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', LC_ALL: 'C.UTF-8' },
    })
    const imagesOf = ({ images }: BuildResult) => images.map(({ service, image }) => ({ service, image }))
    expect(imagesOf(second)).toEqual(imagesOf(first))
    expect(second.release.digest).toBe(first.release.digest)
    expect(second.dirty).toBe(false)
  }, 180_000)
})
