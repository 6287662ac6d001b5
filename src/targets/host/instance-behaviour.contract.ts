import { type AddressInfo, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { GroupSpec } from '../../core/generation.ts'
import type { GroupId, ImageDigest, InstanceId } from '../../core/ids.ts'
import type { ObservedInstance } from '../../core/observation.ts'
import type { RunSpec } from '../../core/system.ts'
import { exec } from '../../util/exec.ts'
import { groupSpec, httpHealth, op, runningHealth, staging } from '../local/local-target.fixture.ts'
import type { Target } from '../target.ts'

/** What a driver's test brings along. The router may be one that routes nothing. */
export interface BehaviourWorld {
  readonly target: Target
  /** Of `storeBusybox`. */
  readonly image: ImageDigest
  /** IPv4 address of an instance. */
  address(instance: InstanceId): Promise<string>
  /** Ends an instance from outside, at once. */
  kill(instance: InstanceId): Promise<void>
  close(): Promise<void>
}

/**
 * What instances find on every target of this machine, seen from inside, and what is said when they fail: so that a
 * release that runs on one of them runs on the others.
 */
export function describeInstanceBehaviour(name: string, open: () => Promise<BehaviourWorld>): void {
  describe(`instances of the ${name} target`, () => {
    let world: BehaviourWorld
    const used = new Set<GroupId>()

    beforeAll(async () => {
      world = await open()
    })
    afterEach(async () => {
      for (const id of used) await world.target.stop(id, op())
      used.clear()
    })
    afterAll(() => world?.close())

    const group = (
      service: string,
      run: Partial<RunSpec> = {},
      rest: Partial<Pick<GroupSpec, 'replicas' | 'needs'>> = {},
    ) => {
      const spec = groupSpec(world.image, service, run, rest)
      used.add(spec.id)
      return spec
    }
    const instances = async (id: GroupId): Promise<readonly ObservedInstance[]> =>
      (await world.target.observe(staging, op())).groups.find((found) => found.id === id)?.instances ?? []
    const only = async (id: GroupId): Promise<ObservedInstance> => {
      const [instance] = await instances(id)
      if (instance === undefined) throw new Error(`${id} has no instance`)
      return instance
    }
    const log = async (id: InstanceId): Promise<readonly string[]> => {
      const lines: string[] = []
      for await (const { text } of world.target.logs?.(id, { follow: false, tail: null }, op()) ?? [])
        lines.push(text)
      return lines
    }
    /** What a shell script prints inside an instance. */
    const inside = async (script: string, run: Partial<RunSpec> = {}): Promise<readonly string[]> => {
      const command = ['/bin/sh', '-c', `${script}\necho done; trap "exit 0" TERM; sleep 1000 & wait`]
      const spec = group('probe', { command, health: runningHealth, ...run })
      await world.target.start(spec, op())
      const { id } = await only(spec.id)
      await expect.poll(() => log(id), { timeout: 10_000 }).toContain('done')
      return (await log(id)).slice(0, -1)
    }
    const started = (spec: GroupSpec): Promise<unknown> =>
      world.target.start(spec, op()).then(
        () => null,
        (error: unknown) => error,
      )

    describe('isolation', () => {
      it('has a root that even root cannot write, and writable paths of their size', async () => {
        const lines = await inside(
          'touch /etc/x 2>&1; mount -o remount,rw / 2>&1; touch /tmp/ok && echo tmp; touch /data/ok && echo data; df -k /data | tail -n 1; mkdir /data/sub && id -u',
          {
            user: 'web',
            writable: [
              { path: '/tmp', sizeBytes: 1 << 20 },
              { path: '/data', sizeBytes: 2 << 20 },
            ],
          },
        )
        expect(lines[0]).toContain('Read-only file system')
        expect(lines[1]).toMatch(/permission denied|not permitted|are you root/i)
        expect(lines).toEqual(expect.arrayContaining(['tmp', 'data', '1000']))
        expect(lines.join('\n')).toMatch(/tmpfs +2048 /)
      })

      it('has no capability, no new privileges and a seccomp filter', async () => {
        const lines = await inside(
          'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; unshare -n true 2>&1',
        )
        const text = lines.join('\n')
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
          expect(text).toMatch(new RegExp(`${set}:\\s+0000000000000000`))
        expect(text).toMatch(/NoNewPrivs:\s+1/)
        expect(text).toMatch(/Seccomp:\s+2/)
        expect(text).toMatch(/not permitted/)
      })

      it('sees its own processes, host name and needs only', async () => {
        const api = group('api')
        await world.target.start(api, op())
        const spec = groupSpec(
          world.image,
          'web',
          {
            command: [
              '/bin/sh',
              '-c',
              'ps | grep -c "[n]c -ll"; hostname; cat /etc/hosts; echo done; sleep 1000',
            ],
            health: runningHealth,
          },
          { needs: { api: api.id } },
        )
        used.add(spec.id)
        await world.target.start(spec, op())
        const { id } = await only(spec.id)
        await expect.poll(() => log(id)).toContain('done')
        const [processes, hostname, ...hosts] = await log(id)
        expect(processes).toBe('0')
        expect(hostname).toBe(id.replace('.', '-'))
        expect(hosts).toContain(`10.255.255.${api.id.length}\tapi`)
      })

      it('cannot reach another instance or the host, and is told so at once', async () => {
        const api = group('api')
        await world.target.start(api, op())
        const address = await world.address((await only(api.id)).id)
        const gateway = address.replace(/\d+\.\d+$/, '0.1')
        const service = address.replace(/\d+\.\d+$/, '200.1')
        const host = createServer()
        await new Promise<void>((resolve) => host.listen(0, gateway, resolve))
        const { port } = host.address() as AddressInfo
        const targets = [`${address} 8080`, `${gateway} ${port}`, `${service} 8080`]
        const lines = await inside(targets.map((to) => `nc -w 5 ${to} </dev/null 2>&1`).join('\n'))
        host.close()
        expect(lines).toEqual(
          [address, gateway, service].map(
            (to) => `nc: can't connect to remote host (${to}): Connection refused`,
          ),
        )
      })

      it('enforces limits of memory and processes', async () => {
        const greedy = group('greedy', {
          command: ['/bin/sh', '-c', 'exec tail -c 100000000 /dev/zero'],
          limits: { memoryBytes: 16 << 20, cpus: 0.5, pids: 8 },
        })
        const error = await started(greedy)
        expect(error).toMatchObject({ code: 'group.died' })
        expect((error as Error).message).toContain('exit code 137')
        const crowd = group('crowd', {
          command: ['/bin/sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait'],
          limits: { memoryBytes: null, cpus: null, pids: 6 },
        })
        expect(await started(crowd)).toMatchObject({
          code: 'group.died',
          details: { lastLogLines: [expect.stringContaining("can't fork")] },
        })
      })

      it('keeps a volume, owned by its user, when everything else goes', async () => {
        const volume = {
          user: 'web',
          stateful: true,
          volumes: [{ name: 'data', path: '/data' }],
        } satisfies Partial<RunSpec>
        expect(await inside('echo kept > /data/file && echo written', volume)).toEqual(['written'])
        for (const id of used) await world.target.stop(id, op())
        expect(await inside('cat /data/file; stat -c %u /data', volume)).toEqual(['kept', '1000'])
      })
    })

    describe('what goes wrong is said', () => {
      it('names a command that does not exist', async () => {
        const error = await started(group('web', { command: ['/bin/nope'] }))
        expect(error).toMatchObject({ code: 'group.died' })
        expect((error as Error).message).toBe(
          'web cannot run /bin/nope: its image has no such executable file',
        )
      })

      it('shows the last lines of an instance that dies at once', async () => {
        const script = 'for i in $(seq 22); do echo line $i; done; exit 3'
        const error = await started(group('web', { command: ['/bin/sh', '-c', script] }))
        expect(error).toMatchObject({ code: 'group.died', details: { service: 'web' } })
        expect((error as Error).message).toMatch(/web ended with exit code 3 after \d+\.\d s/)
        const { lastLogLines } = (error as { details: { lastLogLines: string[] } }).details
        expect(lastLogLines).toEqual(Array.from({ length: 20 }, (_, index) => `line ${index + 3}`))
      })

      it('tells what to declare for what the system refused', async () => {
        const script = 'echo begin > /etc/app.log || exit 1'
        expect(await started(group('web', { command: ['/bin/sh', '-c', script] }))).toMatchObject({
          code: 'group.died',
          remedy: expect.stringContaining('`writable: [/etc]` for web') as unknown,
        })
        const chown = 'touch /tmp/x && chown 33 /tmp/x'
        expect(
          await started(
            group('web', {
              command: ['/bin/sh', '-c', chown],
              writable: [{ path: '/tmp', sizeBytes: 1 << 20 }],
            }),
          ),
        ).toMatchObject({
          code: 'group.died',
          remedy: expect.stringContaining('`capabilities: [CHOWN]`') as unknown,
        })
      })

      it('tells the status of a health check that never passes', async () => {
        const health = { ...httpHealth, startMs: 400 } as typeof httpHealth
        const error = await started(
          group('web', { env: { STATUS: '503', VERSION: 'x' }, health }, { replicas: 2 }),
        )
        expect(error).toMatchObject({ code: 'group.unhealthy' })
        expect((error as Error).message).toMatch(
          /[12] of 2 instances of web unhealthy after .*GET \/up gave 503/,
        )
      })

      it('takes a late answer for none', async () => {
        const health = { ...httpHealth, startMs: 500, timeoutMs: 200 } as typeof httpHealth
        const error = await started(group('web', { env: { DELAY: '1', VERSION: 'x' }, health }))
        expect((error as Error).message).toContain('no answer within 0.2 s')
      })

      it('runs a command as health check, and kills one that hangs', async () => {
        const timing = { ...runningHealth, intervalMs: 100, timeoutMs: 500, startMs: 3000 }
        const ready = { ...timing, kind: 'command', command: ['/bin/cat', '/tmp/ready'] } as const
        const command = [
          '/bin/sh',
          '-c',
          'sleep 0.3; echo yes > /tmp/ready; trap "exit 0" TERM; sleep 1000 & wait',
        ]
        const writable = [{ path: '/tmp', sizeBytes: 4096 }]
        await world.target.start(group('ready', { command, writable, health: ready }), op())
        const hangs = { ...timing, kind: 'command', command: ['/bin/sleep', '77777'] } as const
        const error = await started(group('hangs', { command, writable, health: hangs }))
        expect((error as Error).message).toContain('no answer within 0.5 s')
        const { stdout } = await exec('ps', ['-eo', 'args'])
        expect(stdout.split('\n').filter((line) => line === '/bin/sleep 77777')).toEqual([])
      })

      it('sees a healthy instance turn unhealthy, and start replaces it', async () => {
        const health = {
          ...runningHealth,
          kind: 'command',
          intervalMs: 100,
          retries: 2,
          command: ['/bin/cat', '/tmp/ok'],
        } as const
        const script = 'touch /tmp/ok; sleep 1; /bin/busybox rm /tmp/ok; sleep 1000'
        const writable = [{ path: '/tmp', sizeBytes: 4096 }]
        const spec = group('flaps', { command: ['/bin/sh', '-c', script], writable, health })
        await world.target.start(spec, op())
        const first = await only(spec.id)
        await expect.poll(async () => (await only(spec.id)).state, { timeout: 10_000 }).toBe('unhealthy')
        expect((await only(spec.id)).problem).toContain('exit code 1')
        await world.target.start(spec, op())
        expect((await only(spec.id)).id).not.toBe(first.id)
      })

      it('notes the exit code of a killed instance', async () => {
        const spec = group('web')
        await world.target.start(spec, op())
        const { id } = await only(spec.id)
        await world.kill(id)
        await expect
          .poll(() => only(spec.id), { timeout: 10_000 })
          .toMatchObject({
            state: 'exited',
            exitCode: 137,
            problem: expect.stringContaining('killed') as unknown,
          })
      })
    })

    it('follows what an instance writes until it ends', async () => {
      const script = 'for i in 1 2 3; do echo line $i; sleep 0.1; done'
      const spec = group('talks', {
        command: ['/bin/sh', '-c', script],
        health: { ...runningHealth, intervalMs: 10 },
      })
      await world.target.start(spec, op())
      const { id } = await only(spec.id)
      const lines: string[] = []
      for await (const { text } of world.target.logs?.(id, { follow: true, tail: null }, op()) ?? [])
        lines.push(text)
      expect(lines).toEqual(['line 1', 'line 2', 'line 3'])
    })

    it('stops with the signal, and kills what does not listen after its grace', async () => {
      const polite = group('polite', {
        command: ['/bin/sh', '-c', 'trap "echo bye; exit 0" USR1; echo ready; sleep 1000 & wait'],
        health: runningHealth,
        stop: { signal: 'SIGUSR1', graceMs: 5000 },
      })
      const deaf = group('deaf', {
        command: ['/bin/sh', '-c', 'trap "" TERM; echo ready; while true; do sleep 1; done'],
        health: runningHealth,
        stop: { signal: 'SIGTERM', graceMs: 100 },
      })
      await Promise.all([world.target.start(polite, op()), world.target.start(deaf, op())])
      const { id } = await only(polite.id)
      const deafId = (await only(deaf.id)).id
      await expect.poll(() => Promise.all([log(id), log(deafId)])).toEqual([['ready'], ['ready']])
      await Promise.all([world.target.stop(polite.id, op()), world.target.stop(deaf.id, op())])
      expect(await log(id)).toEqual(['ready', 'bye'])
      expect((await world.target.observe(staging, op())).groups).toEqual([])
    })
  })
}
