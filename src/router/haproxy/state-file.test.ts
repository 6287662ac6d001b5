import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BasaltError } from '../../errors.ts'
import { emptyState, serialiseState } from './router-state.ts'
import { loadState, saveState } from './state-file.ts'

describe("the file of a router's record", () => {
  let folder: string
  let path: string
  let reports: BasaltError[]
  const load = (bootId: string) => loadState(path, bootId, (error) => reports.push(error))

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'basalt-state-'))
    path = join(folder, 'router.json')
    reports = []
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const state = { ...emptyState, bootId: 'boot-1', nextSlot: { http: 3, tcp: 1 } }

  it('is read back, and is empty where there is none', async () => {
    expect(await load('boot-1')).toEqual({ ...emptyState, bootId: 'boot-1' })
    await saveState(path, emptyState, state)
    expect(await load('boot-1')).toEqual(state)
    expect(reports).toEqual([])
  })

  it('is lost, not an obstacle, when the loss of power cut it short', async () => {
    const text = serialiseState(state)
    for (const damaged of ['', text.slice(0, text.length / 2), '\0'.repeat(text.length)]) {
      reports = []
      await writeFile(path, damaged)
      expect(await load('boot-2')).toEqual({ ...emptyState, bootId: 'boot-2' })
      expect(reports).toMatchObject([{ code: 'router.failed', message: expect.stringContaining(path) }])
    }
  })

  it('is refused when it was damaged under this very kernel', async () => {
    await writeFile(path, serialiseState(state).slice(0, -20))
    await expect(load('boot-1')).rejects.toMatchObject({ code: 'router.failed' })
    expect(reports).toEqual([])
  })
})
