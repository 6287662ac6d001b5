import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { identifyProcess, isRunning, type ProcessIdentity } from '../../../util/process-identity.ts'
import { finish, followHealth, tell } from '../../host/instance/follow-health.ts'
import { changed, type InstanceEnd } from '../../host/instance/instance.ts'
import type { LocalContext } from '../local-context.ts'
import { type InstanceRecord, writeRecord } from './instance-record.ts'
import type { LocalInstance } from './local-instance.ts'
import { isInCgroup } from './signal-process.ts'

/** A keeper writes its file within milliseconds; one that was killed never does. */
const keeperMs = 1000

/** The runtime has made the instance's first process: notes who it is and begins to ask for its health. */
export async function noteStarted(context: LocalContext, instance: LocalInstance): Promise<void> {
  if (instance.record.process !== null || instance.end !== null) return
  const process = await startedProcess(context, instance)
  if (process === null || instance.record.process !== null || instance.end !== null) return
  keepRecord(context, instance, { ...instance.record, process })
  followHealth(context, instance)
  changed(instance)
}

/** The process that the runtime's pid file names, if it really is in this instance's cgroup. */
async function startedProcess(
  context: LocalContext,
  instance: LocalInstance,
): Promise<ProcessIdentity | null> {
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
export async function noteEnded(context: LocalContext, instance: LocalInstance): Promise<void> {
  if (instance.end !== null) return
  const { process } = instance.record
  // The runtime's own process was killed, and the instance goes on without it.
  if (process !== null && (await isRunning(process))) return
  const end = await readEnd(instance)
  if (end !== null) finish(context, instance, end)
}

/** Asks the kernel whether an instance still runs. What nobody noted gets an unknown exit code. */
export async function confirmAlive(context: LocalContext, instance: LocalInstance): Promise<void> {
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
export async function readEnd({ paths }: LocalInstance): Promise<InstanceEnd | null> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(paths.exitFile, 'utf8'), stat(paths.exitFile)])
    return { exitCode: Number(text), at: Math.round(mtimeMs) }
  } catch {
    return null
  }
}

export function noteHealthy(context: LocalContext, instance: LocalInstance): void {
  keepRecord(context, instance, { ...instance.record, provenHealthy: true })
}

function keepRecord(context: LocalContext, instance: LocalInstance, record: InstanceRecord): void {
  instance.record = record
  try {
    writeRecord(instance.paths.record, record)
  } catch (cause) {
    // The folder is gone when the instance was removed meanwhile.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') tell(context, instance, cause)
  }
}
