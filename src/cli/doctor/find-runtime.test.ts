import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chooseRuntime } from '../../targets/local/runtime/choose-runtime.ts'
import { candidatesOf, tryRuntimes } from '../../targets/local/runtime/try-runtimes.ts'
import { exec } from '../../util/exec.ts'
import { findRuntime } from './find-runtime.ts'

describe('findRuntime', () => {
  let programs: string
  beforeEach(() => {
    programs = mkdtempSync(join(tmpdir(), 'basalt-programs-'))
  })
  afterEach(() => rmSync(programs, { recursive: true, force: true }))

  /** A machine whose only programs are those in the folder. */
  const machine = (userId: number) => ({
    userId,
    run: (file: string, ...args: string[]) => exec(file, args, { env: { PATH: programs } }).catch(() => null),
    tryRuntimes: () => tryRuntimes({ candidates: candidatesOf(false), environment: { PATH: programs } }),
  })
  const install = (name: string, script: string): void => {
    const file = join(programs, name)
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
  }

  it('names what the server would choose', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('needs root')
    const { candidate } = await chooseRuntime()
    const { state, detail } = await findRuntime({ ...machine(0), tryRuntimes })
    expect(state).toBe('found')
    expect(detail.startsWith(candidate.program)).toBe(true)
    expect(detail.includes('without cgroup v2')).toBe(candidate.hidesUnifiedHierarchy)
  })

  it('says what each one said, the last line of it', async () => {
    install('crun', '[ "$1" = --version ] && echo crun 1 || { echo first >&2; echo no cgroups >&2; exit 1; }')
    expect(await findRuntime(machine(0))).toEqual({
      state: 'missing',
      detail: 'crun failed: no cgroups; runc is not installed',
    })
    install('runc', 'echo runc 1')
    expect(await findRuntime(machine(0))).toEqual({ state: 'found', detail: 'runc; crun failed: no cgroups' })
  })

  it('goes on after one that cannot be run at all', async () => {
    install('crun', 'echo crun 1')
    chmodSync(join(programs, 'crun'), 0o644)
    install('runc', 'echo runc 1')
    expect(await findRuntime(machine(0))).toEqual({
      state: 'found',
      detail: expect.stringMatching(/^runc; crun failed: crun could not be run: .*EACCES/),
    })
  })

  it('tries nothing without root', async () => {
    expect((await findRuntime(machine(1000))).state).toBe('missing')
    install('runc', 'echo runc 1')
    expect(await findRuntime(machine(1000))).toMatchObject({
      state: 'poor',
      detail: 'runc is installed; a trial start needs root',
    })
  })
})
