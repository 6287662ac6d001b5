import { describe, expect, it } from 'vitest'
import { findEngine } from './docker-engine.ts'
import type { EngineAnswer, Machine } from './probe.ts'

const socket = '/var/run/docker.sock'
const answer = (body: unknown): EngineAnswer => ({ kind: 'answer', socket, body })
const failed = (why: string): EngineAnswer => ({ kind: 'failed', socket, why })

function machine(answers: Readonly<Record<string, EngineAnswer>>, used = false): Machine {
  return {
    docker: async (path) => answers[path] ?? failed('ENOENT'),
    list: () => (used ? ['instances', 'logs'] : []),
    run: async () => null,
    read: () => '',
    tryRuntimes: async () => [],
    freeBytes: () => 0,
    userId: 0,
    nodeVersion: '',
    cliVersion: '',
    homeFolder: '/var/lib/basalt',
    groupName: '',
    server: null,
  }
}
const version = answer({ Version: '24.0.7', ApiVersion: '1.43' })

describe('what the doctor says of Docker', () => {
  it('nothing where there is none and none was used', async () => {
    expect(await findEngine(machine({}))).toBeNull()
  })

  it('that it is gone where it was used', async () => {
    const gone = machine({ '/version': failed('ENOENT') }, true)
    expect(await findEngine(gone)).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining(socket),
    })
  })

  it('that this user may not ask', async () => {
    expect(await findEngine(machine({ '/version': failed('EACCES') }))).toMatchObject({
      state: 'poor',
      remedy: 'See the rest: sudo basalt doctor',
    })
  })

  it('that it is too old', async () => {
    const old = machine({ '/version': answer({ Version: '18.09.1', ApiVersion: '1.39' }) })
    expect(await findEngine(old)).toMatchObject({ state: 'missing', detail: expect.stringContaining('1.39') })
  })

  it('what it is, and whether its restart ends what runs', async () => {
    const info = { LiveRestoreEnabled: false, CgroupDriver: 'systemd', CgroupVersion: '2' }
    expect(await findEngine(machine({ '/version': version, '/info': answer(info) }))).toEqual({
      state: 'found',
      detail:
        '24.0.7, API 1.43, systemd on cgroup v2; without live-restore, so a restart of Docker restarts instances too',
    })
    const lasting = answer({ ...info, LiveRestoreEnabled: true })
    expect(await findEngine(machine({ '/version': version, '/info': lasting }))).toMatchObject({
      detail: '24.0.7, API 1.43, systemd on cgroup v2, live-restore',
    })
  })
})
