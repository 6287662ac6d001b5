import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLoad } from '../bench/load/load.ts'
import type { DeploymentResult, HistoryResult, StatusResult } from '../src/engine/engine.ts'
import { openShop, type Shop } from './shop.fixture.ts'

/** The moments of a deployment at which the server is killed, by a word that the CLI prints just before. */
const moments = [
  ' moves ',
  'starting api',
  'starting web',
  'everything new is healthy',
  'switching traffic',
  'watching',
]

describe('the server killed by SIGKILL during a deployment', () => {
  let shop: Shop

  beforeAll(async () => {
    shop = await openShop()
    await shop.json(['deploy', '-e', 'staging'])
  }, 180_000)
  afterAll(() => shop.close(), 120_000)

  const serverPid = (): number =>
    Number(/^pid (\d+)/.exec(readFileSync(join(shop.home, 'server.lock'), 'utf8'))?.[1])

  it.each(moments)(
    'at "%s": what runs goes on, and the next server ends it by itself',
    async (moment) => {
      shop.stamp(moment)
      const load = startLoad({
        url: `http://127.0.0.1:${shop.port}/`,
        rate: 100,
        keepAlive: 4,
        newConnections: 2,
        timeoutMs: 20_000,
        expectSameStamp: true,
      })
      let killed = false
      const cut = await shop.run(['deploy', '-e', 'staging'], {
        onOutput: (text) => {
          if (killed || !text.includes(moment)) return
          killed = true
          process.kill(serverPid(), 'SIGKILL')
        },
      })
      expect(killed).toBe(true)
      await sleep(1000)
      const answersWithoutServer = load.answers()
      await expect.poll(() => load.answers(), { timeout: 10_000 }).toBeGreaterThan(answersWithoutServer)

      const { attempts } = await shop.json<HistoryResult>(['history'])
      const id = attempts[0]?.deployment ?? ''
      const followed = await shop.json<DeploymentResult>(['follow', id])
      expect(followed.outcome, cut.stderr).toBe('succeeded')
      const { environments } = await shop.json<StatusResult>(['status'])
      expect(environments).toMatchObject([
        { state: 'serving', drift: [], release: { name: followed.release?.name } },
      ])
      const report = await load.stop()
      expect(report.failures).toEqual({})
      expect(report).toMatchObject({ failed: 0, mixed: 0 })
    },
    120_000,
  )
})
