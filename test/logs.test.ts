import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeploymentResult } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { type ServiceText, shellService, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/** Says a word, and then serves. */
const saying = (word: string): ServiceText =>
  shellService(`echo ${word}; exec /bin/busybox httpd -f -p 8080 -h /www`, { stop: { grace: '200ms' } })

describe('logs', () => {
  let basalt: BasaltHome
  let port: number

  beforeEach(async () => {
    basalt = openBasaltHome()
    port = await freePort()
    writeTinyFiles(basalt.project)
  })

  afterEach(() => basalt.close())

  function write(web: ServiceText): void {
    writeTinySystem(basalt.project, {
      services: { web },
      environments: { staging: { ingress: port, watch: '100ms', warm: '0s' } },
    })
  }

  const deploy = async (web: ServiceText): Promise<void> => {
    write(web)
    expect(await basalt.json<DeploymentResult>(['deploy'])).toMatchObject({ outcome: 'succeeded' })
  }

  it('are followed from release to release, until nothing runs', async () => {
    await deploy(saying('one'))
    let seen = ''
    const ended = basalt.run(['logs', '--follow'], { onOutput: (text) => (seen = text) })
    await expect.poll(() => seen, { timeout: 20_000 }).toMatch(/one/)
    await deploy(saying('two'))
    await expect.poll(() => seen, { timeout: 20_000 }).toMatch(/two/)
    await basalt.json(['down', '--yes'])
    const { exitCode, stdout, stderr } = await ended
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^web\.\d+ \| one\nweb\.\d+ \| two\n$/)
  })

  it('of what has ended are shown by the command that the failure names', async () => {
    const words = 'echo begin; for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $n; done; exit 3'
    write(shellService(words))
    const failed = await basalt.run(['deploy'])
    const [, command = ''] = /See all that it wrote: basalt (.*)/.exec(failed.stderr) ?? []
    expect(command).toBe('logs web --previous -e tiny/staging')
    const nothing = await basalt.fails(['logs'])
    expect(nothing).toMatchObject({ code: 'service.unknown', message: 'nothing runs in tiny/staging' })
    expect(nothing.remedy).toContain('basalt logs --previous -e tiny/staging')
    const { stdout, stderr } = await basalt.run(command.split(' '))
    expect(stderr).toBe('')
    expect(stdout.split('\n')).toHaveLength(14)
    expect(stdout).toMatch(/^web\.\d+ \| begin\n/)

    // Also while another release serves; of what runs none is gone.
    await deploy(saying('one'))
    expect((await basalt.run(['logs'])).stdout).toMatch(/^web\.\d+ \| one\n$/)
    expect((await basalt.run(command.split(' '))).stdout).toMatch(/begin/)
    expect(await basalt.json<DeploymentResult>(['down', '--yes'])).toMatchObject({ outcome: 'succeeded' })
    expect((await basalt.run(command.split(' '))).stdout).toMatch(/^web\.\d+ \| one\n$/)
    expect((await basalt.fails(['logs', 'api', '--previous'])).message).toContain('api in tiny/staging')
  })

  it('need not be read to see that a service went into the background', async () => {
    write(shellService('echo started'))
    const { message, remedy } = await basalt.fails(['deploy'])
    expect(message).toContain('exit code 0')
    expect(remedy).toContain('must stay in the foreground')
  })
})
