import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from './exec.ts'
import { removeLeftovers } from './remove-leftovers.ts'
import { temporaryName } from './temporary-name.ts'

/** Dies as soon as the temporary file of a large write is there. */
const killedWriter = `
  import { readdirSync } from 'node:fs'
  import { dirname } from 'node:path'
  const [path, source] = process.argv.slice(1)
  const { writeFileAtomic } = await import(source)
  const look = () => {
    if (readdirSync(dirname(path)).some((name) => name.endsWith('.tmp'))) process.kill(process.pid, 'SIGKILL')
    setImmediate(look)
  }
  void writeFileAtomic(path, Buffer.alloc(64 << 20))
  look()
`

describe('removeLeftovers', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'basalt-leftovers-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('removes what a killed writer of a file left', async () => {
    const source = join(import.meta.dirname, 'atomic-write.ts')
    const args = ['--input-type=module', '-e', killedWriter, join(folder, 'basalt.lock'), source]
    expect(await exec(process.execPath, args)).toMatchObject({ exitCode: 137 })
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.basalt\.lock\..*\.tmp$/)])
    await removeLeftovers(folder, '.other.')
    expect(readdirSync(folder)).toHaveLength(1)
    await removeLeftovers(folder, '.basalt.lock.')
    expect(readdirSync(folder)).toEqual([])
  })

  it('takes what an earlier process of the same number began for left over, and nothing of this one', async () => {
    const own = temporaryName()
    const earlier = own.replace(/-.*-/, `-${'0'.repeat(16)}-`)
    mkdirSync(join(folder, earlier))
    writeFileSync(join(folder, earlier, 'half'), '')
    for (const name of [own, `x.deb.${own}.tmp`, `${own}.xz`, '12-notes', 'a.12-b.tmp', 'file'])
      writeFileSync(join(folder, name), '')
    await removeLeftovers(folder)
    expect(readdirSync(folder).sort()).toEqual(
      ['12-notes', 'a.12-b.tmp', 'file', own, `${own}.xz`, `x.deb.${own}.tmp`].sort(),
    )
  })

  it('finds nothing in a folder that is not there', async () => {
    await expect(removeLeftovers(join(folder, 'absent'))).resolves.toBeUndefined()
  })
})
