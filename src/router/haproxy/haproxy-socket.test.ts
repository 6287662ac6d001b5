import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectHaproxy, type HaproxySocket, isLost } from './haproxy-socket.ts'

describe('a conversation with HAProxy', () => {
  let folder: string
  let server: Server
  let other: Socket
  let asked: string
  let socket: HaproxySocket

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'basalt-socket-'))
    const path = join(folder, 'haproxy.sock')
    asked = ''
    server = createServer((accepted) => {
      other = accepted
      accepted.setEncoding('utf8').once('data', () => {
        accepted.write('\n> ')
        accepted.on('data', (text: string) => {
          asked += text
        })
      })
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    socket = await connectHaproxy(path)
  })
  afterEach(async () => {
    socket.close()
    await new Promise((resolve) => server.close(resolve))
    await rm(folder, { recursive: true, force: true })
  })

  it('sends all questions at once, and tells the answers apart in whatever pieces they come', async () => {
    const answers = Promise.all([socket.ask('one'), socket.ask('two <<\na b\n'), socket.ask('three')])
    await expect.poll(() => asked).toBe('one\ntwo <<\na b\n\nthree\n')
    for (const piece of ['first\nline > 1\n', '\n', '> + + ', '\n>', ' third\n\n> ']) {
      other.write(piece)
      await turn()
    }
    expect(await answers).toEqual(['first\nline > 1', '', 'third'])
  })

  it('rejects every question that has no answer when HAProxy goes away', async () => {
    const outcomes = Promise.allSettled([socket.ask('one'), socket.ask('two'), socket.ask('three')])
    await expect.poll(() => asked).toContain('three')
    other.end('first\n\n> sec')
    const [one, ...rest] = await outcomes
    expect(one).toEqual({ status: 'fulfilled', value: 'first' })
    for (const outcome of rest) expect(outcome.status === 'rejected' && isLost(outcome.reason)).toBe(true)
    await expect(socket.ask('four')).rejects.toSatisfy(isLost)
  })
})
