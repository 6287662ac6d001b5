import type { ManifestPath } from '../problem-list.ts'
import { durationMs, mostDurationMs } from './quantities.ts'
import type { Scope } from './scope.ts'

/** A duration in ms, in the range of a timer; `least` says which durations would make no sense. */
export function resolveDuration(written: string, scope: Scope, path: ManifestPath, least: 0 | 1): number {
  const duration = durationMs(written)
  if (duration < least)
    scope.report(path, `\`${String(path.at(-1))}\` is zero`, 'Write a longer duration, such as `2s`.')
  if (duration > mostDurationMs)
    scope.report(path, `\`${written}\` is longer than 24 days`, 'Write at most `24d`.')
  return duration
}
