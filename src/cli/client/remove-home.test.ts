import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeHome } from './remove-home.ts'

describe('removing a state folder', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'basalt-home-'))
    for (const name of ['images', 'volumes', '.new'])
      mkdirSync(join(folder, name, 'deep'), { recursive: true })
    for (const name of ['ledger.db', 'ledger.db-wal', 'server.log', '.next-instance-number.0a1b.tmp'])
      writeFileSync(join(folder, name), '')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('leaves nothing of what Basalt made', async () => {
    expect(await removeHome({ folder })).toEqual([])
    expect(existsSync(folder)).toBe(false)
    expect(await removeHome({ folder })).toEqual([])
  })

  it('keeps what was never ours', async () => {
    writeFileSync(join(folder, 'thesis.tex'), '')
    mkdirSync(join(folder, 'images-of-my-cat'))
    expect((await removeHome({ folder })).toSorted()).toEqual(['images-of-my-cat', 'thesis.tex'])
    expect(readdirSync(folder).toSorted()).toEqual(['images-of-my-cat', 'thesis.tex'])
  })
})
