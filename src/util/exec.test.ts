import { describe, expect, it } from 'vitest'
import { exec, execOrThrow } from './exec.ts'

describe('exec', () => {
  it('gives output and exit code, and passes input', async () => {
    const result = await exec('sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'hello' })
    expect(result).toEqual({ stdout: 'hello', stderr: 'oops\n', exitCode: 3 })
  })

  it('kills grandchildren too when the time is over', async () => {
    const result = await exec('sh', ['-c', 'sleep 100 & wait'], { timeoutMs: 50 })
    expect(result.exitCode).toBe(137)
  })

  it('does not wait for a grandchild that left the group and holds the output', async () => {
    const result = await exec('sh', ['-c', 'setsid sleep 3 & wait'], { timeoutMs: 50 })
    expect(result.exitCode).toBe(137)
  })

  it('says which package has a missing program', async () => {
    await expect(exec('/nowhere/nft', [])).rejects.toMatchObject({
      code: 'host.tool-missing',
      remedy: 'Install it: apt-get install nftables',
    })
  })

  it('ends the program on abort', async () => {
    const controller = new AbortController()
    const running = exec('sleep', ['100'], { op: controller })
    setTimeout(() => controller.abort(), 20)
    await expect(running).rejects.toMatchObject({ code: 'request.interrupted' })
  })

  it('turns a failure into the given error, with the reason', async () => {
    const failed = execOrThrow('network.setup-failed', 'no bridge', 'sh', ['-c', 'echo broken >&2; exit 1'])
    await expect(failed).rejects.toMatchObject({
      code: 'network.setup-failed',
      message: 'no bridge: sh: broken',
    })
  })
})
