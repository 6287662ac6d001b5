import type { RequestCount } from '../core/events.ts'
import type { EnvironmentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Target } from '../targets/target.ts'

const none: RequestCount = { total: 0, failed: 0 }

/** The entry's counters now. A target that counts nothing, or cannot say, gives zeros: it must not fail a deployment. */
export async function requestsNow(target: Target, environment: EnvironmentId, op: Op): Promise<RequestCount> {
  const figures = await target.traffic?.(environment, op).catch(() => undefined)
  return figures === undefined ? none : { total: figures.entry.requests, failed: figures.entry.failed }
}

/** What came since `before`; a router that was restarted counts from zero again. */
export async function requestsSince(
  target: Target,
  environment: EnvironmentId,
  before: RequestCount,
  op: Op,
): Promise<RequestCount> {
  const now = await requestsNow(target, environment, op)
  const restarted = now.total < before.total
  return restarted
    ? now
    : { total: now.total - before.total, failed: Math.max(0, now.failed - before.failed) }
}
