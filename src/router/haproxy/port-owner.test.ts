import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { holdPort, isFree } from './held-port.ts'
import { findPortOwner } from './port-owner.ts'

describe('a port in use', () => {
  it('is found with the process that listens there, on whatever address', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const server = createServer().listen(0, host)
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      expect(await findPortOwner(port)).toMatchObject({ pid: process.pid })
      expect(await isFree(port, true)).toBe(false)
      await expect(holdPort(port, true)).rejects.toMatchObject({
        code: 'port.taken',
        message: expect.stringContaining(`pid ${process.pid}`),
      })
      server.close()
      await once(server, 'close')
      expect(await findPortOwner(port)).toBeNull()
      expect(await isFree(port, true)).toBe(true)
    }
  })

  it('names a script, not the thread of its interpreter', async () => {
    const code =
      "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })"
    const folder = await mkdtemp(join(tmpdir(), 'basalt-owner-'))
    await writeFile(join(folder, 'shop.cjs'), code)
    const child = spawn(process.execPath, ['--no-warnings', join(folder, 'shop.cjs')])
    try {
      const [port] = await once(child.stdout, 'data')
      expect(await findPortOwner(Number(port))).toEqual({ pid: child.pid, program: 'node shop.cjs' })
    } finally {
      child.kill()
      await rm(folder, { recursive: true })
    }
  })
})
