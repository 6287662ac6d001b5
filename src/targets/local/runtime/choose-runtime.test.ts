import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chooseRuntime } from './choose-runtime.ts'
import { unifiedHierarchy } from './oci-runtime.ts'
import { candidatesOf } from './try-runtimes.ts'

describe('chooseRuntime', () => {
  const path = process.env.PATH
  afterEach(() => {
    process.env.PATH = path
  })

  it('takes crun where a trial start with it works, and says why', async (ctx) => {
    if (process.getuid?.() !== 0) return ctx.skip('needs root')
    const runtime = await chooseRuntime()
    expect(runtime.candidate.program).toBe('crun')
    expect(runtime.version).toMatch(/^crun /)
    expect(runtime.reason).toContain('a trial start worked')
  })

  it('falls back to runc where crun cannot start anything, and keeps the reason', async (ctx) => {
    if (process.getuid?.() !== 0) return ctx.skip('needs root')
    if (!existsSync(unifiedHierarchy)) return ctx.skip('crun works here even without a mount namespace')
    const runtime = await chooseRuntime(candidatesOf(false))
    expect(runtime.candidate.program).toBe('runc')
    expect(runtime.reason).toContain('crun: cgroups in hybrid mode not supported')
  })

  it('names the package when neither is installed', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'basalt-empty-'))
    process.env.PATH = empty
    await expect(chooseRuntime(candidatesOf(false))).rejects.toMatchObject({
      code: 'host.tool-missing',
      remedy: 'Install one: apt-get install crun',
    })
    await rm(empty, { recursive: true })
  })
})
