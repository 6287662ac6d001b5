import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuntimeChoice } from './oci-runtime.ts'
import { rememberChoice } from './remember-choice.ts'

const crun: RuntimeChoice = {
  candidate: { program: 'crun', hidesUnifiedHierarchy: true },
  version: 'crun version 1.8',
  reason: 'a trial start worked',
}

describe('rememberChoice', () => {
  const path = process.env['PATH']
  let folder: string
  let file: string
  let trials: number
  const choose = async () => {
    trials++
    return crun
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'basalt-choice-'))
    file = join(folder, 'run/runtime.json')
    trials = 0
  })
  afterEach(async () => {
    process.env['PATH'] = path
    await rm(folder, { recursive: true })
  })

  it('tries once, and knows the answer from then on', async () => {
    expect(await rememberChoice(file, choose)).toEqual(crun)
    expect(await rememberChoice(file, choose)).toEqual(crun)
    expect(trials).toBe(1)
  })

  it('tries again when a program was installed, removed or replaced', async () => {
    process.env['PATH'] = folder
    await rememberChoice(file, choose)
    await writeFile(join(folder, 'crun'), 'one')
    await rememberChoice(file, choose)
    await writeFile(join(folder, 'crun'), 'another')
    await rememberChoice(file, choose)
    await rm(join(folder, 'crun'))
    await rememberChoice(file, choose)
    expect(trials).toBe(4)
  })

  it('tries again when what it remembers is damaged, and does not remember a failure', async () => {
    const fails = () => Promise.reject(new Error('nothing works'))
    await expect(rememberChoice(file, fails)).rejects.toThrow('nothing works')
    await rememberChoice(file, choose)
    await writeFile(file, '{"circumstances":')
    expect(await rememberChoice(file, choose)).toEqual(crun)
    expect(trials).toBe(2)
  })
})
