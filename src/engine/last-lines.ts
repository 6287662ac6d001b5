import type { ErrorFacts } from '../core/error-facts.ts'
import type { InstanceId } from '../core/ids.ts'
import type { Observation } from '../core/observation.ts'
import type { Op } from '../core/op.ts'
import type { Target } from '../targets/target.ts'

const shownLines = 10

/** The error with what an instance of its group that is not well wrote last, where the target can tell. */
export async function withLastLines(
  error: ErrorFacts,
  observation: Observation,
  target: Target,
  op: Op,
): Promise<ErrorFacts> {
  const group = observation.groups.find(({ id }) => id === error.details['group'])
  const unwell = group?.instances.find(({ state }) => state !== 'healthy')
  if (unwell === undefined) return error
  // What failed is told in any case.
  const lastLogLines = await readLines(target, unwell.id, op).catch(() => [])
  return lastLogLines.length === 0 ? error : { ...error, details: { ...error.details, lastLogLines } }
}

async function readLines(target: Target, instance: InstanceId, op: Op): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const { text } of target.logs?.(instance, { follow: false, tail: shownLines }, op) ?? [])
    lines.push(text)
  return lines
}
