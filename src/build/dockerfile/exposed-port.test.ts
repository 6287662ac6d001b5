import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exposedPort } from './exposed-port.ts'

describe('the port that a Dockerfile exposes', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'basalt-exposed-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const portOf = async (...lines: readonly string[]): Promise<number | null> => {
    const path = join(folder, 'Dockerfile')
    await writeFile(path, `${lines.join('\n')}\n`)
    return exposedPort(path, 'Dockerfile')
  }

  it.each([
    { says: ['FROM scratch', 'EXPOSE 3000'], port: 3000 },
    { says: ['FROM scratch', 'EXPOSE 53/udp 8053/tcp'], port: 8053 },
    { says: ['FROM scratch', 'EXPOSE 7000-7010'], port: 7000 },
    { says: ['FROM scratch', 'ENV PORT=5000', 'EXPOSE $PORT'], port: 5000 },
    { says: ['FROM scratch', 'ENV PORT 5001', 'EXPOSE ${PORT}'], port: 5001 },
    { says: ['ARG PORT=6000', 'FROM scratch', 'ARG PORT', 'EXPOSE $PORT'], port: 6000 },
    { says: ['FROM scratch AS base', 'EXPOSE 1111', 'FROM scratch', 'EXPOSE 2222'], port: 2222 },
    { says: ['FROM scratch AS base', 'EXPOSE 1111', 'FROM base', 'CMD ["a"]'], port: 1111 },
    { says: ['FROM scratch', 'CMD ["a"]'], port: null },
    { says: ['FROM scratch', 'EXPOSE $UNKNOWN 99999'], port: null },
  ])('$says gives $port', async ({ says, port }) => {
    expect(await portOf(...says)).toBe(port)
  })

  it('is not looked for in what is no Dockerfile', async () => {
    await expect(portOf('EXPOSE 80')).rejects.toMatchObject({ code: 'build.dockerfile-invalid' })
  })
})
