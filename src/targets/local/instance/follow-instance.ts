import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { identifyProcess, isRunning, type ProcessIdentity } from '../../../util/process-identity.ts'
import { watchHealth } from '../health/health-watch.ts'
import { probeOf } from '../health/probe.ts'
import type { LocalContext } from '../local-context.ts'
import { changed, type Instance, type InstanceEnd } from './instance.ts'
import { type InstanceRecord, writeRecord } from './instance-record.ts'
import { runInside } from './run-inside.ts'
import { isInCgroup } from './signal-process.ts'
import { followTraffic, leaveTraffic } from './traffic.ts'

/** A keeper writes its file within milliseconds; one that was killed never does. */
const keeperMs = 1000
const unlimited = (): Op => ({ signal: new AbortController().signal })

/** The runtime has made the instance's first process: notes who it is and begins to ask for its health. */
export async function noteStarted(context: LocalContext, instance: Instance): Promise<void> {
  if (instance.record.process !== null || instance.end !== null) return
  const process = await startedProcess(context, instance)
  if (process === null || instance.record.process !== null || instance.end !== null) return
  keepRecord(context, instance, { ...instance.record, process })
  followHealth(context, instance)
  changed(instance)
}

/** The process that the runtime's pid file names, if it really is in this instance's cgroup. */
async function startedProcess(context: LocalContext, instance: Instance): Promise<ProcessIdentity | null> {
  const pid = Number(textOf(instance.paths.pidFile))
  if (!Number.isInteger(pid) || pid <= 0) return null
  const identity = await identifyProcess(pid)
  return isInCgroup(pid, `${context.paths.cgroup}/${instance.id}`) ? identity : null
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The keeper says that the instance ended. */
export async function noteEnded(context: LocalContext, instance: Instance): Promise<void> {
  if (instance.end !== null) return
  const { process } = instance.record
  // The runtime's own process was killed, and the instance goes on without it.
  if (process !== null && (await isRunning(process))) return
  const end = await readEnd(instance)
  if (end !== null) finish(context, instance, end)
}

/** Asks the kernel whether an instance still runs. What nobody noted gets an unknown exit code. */
export async function confirmAlive(context: LocalContext, instance: Instance): Promise<void> {
  const { process } = instance.record
  if (instance.end !== null || process === null || (await isRunning(process))) return
  const until = Date.now() + keeperMs
  while (instance.end === null) {
    const end =
      (await readEnd(instance)) ?? (Date.now() < until ? null : { exitCode: null, at: context.now() })
    if (end !== null) return finish(context, instance, end)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Null where the keeper has not written yet. */
export async function readEnd({ paths }: Instance): Promise<InstanceEnd | null> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(paths.exitFile, 'utf8'), stat(paths.exitFile)])
    return { exitCode: Number(text), at: Math.round(mtimeMs) }
  } catch {
    return null
  }
}

export function finish(context: LocalContext, instance: Instance, end: InstanceEnd): void {
  if (instance.end !== null) return
  instance.end = end
  instance.health?.stop()
  changed(instance)
  if (instance.stopping) return
  leaveTraffic(context, instance, 0, unlimited()).catch((cause: unknown) => tell(context, instance, cause))
  for (const listener of context.exitListeners) listener(instance.id)
}

export function followHealth(context: LocalContext, instance: Instance): void {
  const { group, address, startedAt, provenHealthy } = instance.record
  const since = performance.now()
  const ageBefore = Math.max(0, context.now() - startedAt)
  instance.health = watchHealth({
    check: group.run.health,
    probe: probeOf(group.run.health, address, (command, timeoutMs) =>
      runInside(context, instance, command, timeoutMs),
    ),
    now: context.now,
    ageMs: () => ageBefore + performance.now() - since,
    provenHealthy,
    onChange: ({ state }) => {
      if (state === 'healthy') noteHealthy(context, instance)
      if (!instance.stopping)
        followTraffic(context, instance, unlimited()).catch((cause: unknown) =>
          tell(context, instance, cause),
        )
      changed(instance)
    },
  })
}

function noteHealthy(context: LocalContext, instance: Instance): void {
  if (instance.record.provenHealthy || instance.stopping) return
  keepRecord(context, instance, { ...instance.record, provenHealthy: true })
}

function keepRecord(context: LocalContext, instance: Instance, record: InstanceRecord): void {
  instance.record = record
  try {
    writeRecord(instance.paths.record, record)
  } catch (cause) {
    // The folder is gone when the instance was removed meanwhile.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') tell(context, instance, cause)
  }
}

export const tell = (context: LocalContext, { id }: Instance, cause: unknown): void =>
  context.report(
    cause instanceof BasaltError
      ? cause
      : new BasaltError('runtime.failed', { message: `${id}: ${(cause as Error).message}`, cause }),
  )
