import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as z from 'zod'
import type { GroupSpec } from '../../../core/generation.ts'
import type { InstanceId } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import type { ProcessIdentity } from '../../../util/process-identity.ts'
import type { InstanceFacts } from '../../host/instance/instance.ts'

/**
 * Lies in an instance's folder before anything of the instance exists, so that whatever a crash leaves can be
 * adopted or removed by the next server.
 */
export interface InstanceRecord extends InstanceFacts {
  readonly format: 1
  readonly rootPath: string
  /** Name of the network namespace. */
  readonly namespace: string
  /** The instance's first process; null until the runtime has made it. */
  readonly process: ProcessIdentity | null
}

const recordSchema = z.object({
  format: z.literal(1),
  instance: z.custom<InstanceId>((value) => typeof value === 'string' && value !== ''),
  // Written by this program from a checked release; only its presence is looked at again.
  group: z.custom<GroupSpec>((value) => typeof value === 'object' && value !== null && 'run' in value),
  rootPath: z.string(),
  namespace: z.string(),
  address: z.string(),
  startedAt: z.number(),
  process: z.object({ pid: z.number(), startTicks: z.string(), bootId: z.string() }).nullable(),
  provenHealthy: z.boolean(),
})

/**
 * Null where there is none, or one that the machine's own end has cut short: then nothing of the instance runs.
 * Throws `host.home-invalid` for one that is there and cannot be understood: its instance may well run.
 */
export function readRecord(path: string): InstanceRecord | null {
  const content = parsed(textOf(path))
  if (content === undefined) return null
  const record = recordSchema.safeParse(content)
  if (record.success) return record.data
  throw unreadable(path, 'it is not a record that this version of Basalt knows', record.error)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return ''
    throw unreadable(path, message, cause)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const unreadable = (path: string, reason: string, cause: unknown): BasaltError =>
  new BasaltError('host.home-invalid', {
    message: `the record of an instance cannot be read: ${path}: ${reason}`,
    remedy: 'Run the version of Basalt that wrote it, or correct what keeps the file from being read.',
    details: { path },
    cause,
  })

/** Atomic but not fsynced: what it describes does not outlive the machine either. In memory, see run-folder.ts. */
export function writeRecord(path: string, record: InstanceRecord): void {
  writeFileSync(`${path}.new`, JSON.stringify(record))
  renameSync(`${path}.new`, path)
}
