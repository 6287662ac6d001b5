import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { VerifiedHead } from '../src/store/store.ts'
import { type BasaltHome, openBasaltHome } from './basalt-home.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

describe('a ledger whose end was cut off', () => {
  let basalt: BasaltHome

  beforeEach(() => {
    basalt = openBasaltHome()
    writeTinyFiles(basalt.project)
    writeTinySystem(basalt.project, { services: { web: tinyService() }, environments: { staging: {} } })
  })

  afterEach(() => basalt.close())

  /** As somebody does who knows SQLite: guards off, the end away, guards on again. */
  function cutTo(size: number): void {
    const database = new Database(join(basalt.home, 'ledger.db'))
    const guards = database
      .prepare<[], { name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'",
      )
      .all()
    for (const { name } of guards) database.exec(`DROP TRIGGER ${name}`)
    database.exec(`DELETE FROM events WHERE position > ${size}`)
    for (const { sql } of guards) database.exec(sql)
    database.close()
  }

  it('is found with a head that was kept', async () => {
    await basalt.json(['build'])
    const early = await basalt.json<VerifiedHead>(['audit', 'verify'])
    writePage(basalt.project, 'index.html', 'two\n')
    await basalt.json(['build'])
    const { stdout } = await basalt.run(['audit', 'verify', '--from', `${early.size}:${early.rootHash}`])
    const [, kept = ''] = /^head: (\S+)$/m.exec(stdout) ?? []
    expect(stdout).toContain(`continues: ${early.size}:${early.rootHash}`)

    await basalt.json(['server', 'stop'])
    cutTo(early.size)
    // What is left agrees with itself, and with what came before.
    expect(await basalt.json(['audit', 'verify'])).toMatchObject({ ...early })
    const error = await basalt.fails(['audit', 'verify', '--from', kept])
    expect(error).toMatchObject({
      code: 'ledger.tampered',
      exitCode: 3,
      details: { position: early.size + 1 },
    })
  })
})
