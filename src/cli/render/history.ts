import type { HistoryResult } from '../../engine/engine.ts'
import { formatAge, formatDuration } from '../duration.ts'
import type { Paint, Style } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

type Attempt = HistoryResult['attempts'][number]

const styles: Readonly<Record<Attempt['outcome'], Style>> = {
  running: 'cyan',
  succeeded: 'green',
  failed: 'red',
  aborted: 'yellow',
  refused: 'yellow',
}

/** Every attempt, newest first. `now` in milliseconds since the epoch. */
export function renderHistory(history: HistoryResult, paint: Paint, now: number): string {
  if (history.attempts.length === 0) return 'No deployment has been tried yet.'
  return renderTable(
    ['WHEN', 'DEPLOYMENT', 'ENVIRONMENT', 'KIND', 'FROM', 'TO', 'OUTCOME', 'TOOK', 'WHO', 'WHY'],
    history.attempts.map((attempt) => [
      formatAge(now - attempt.at),
      attempt.deployment,
      attempt.environment,
      attempt.kind,
      attempt.from ?? '-',
      attempt.to ?? '-',
      paint(styles[attempt.outcome], attempt.outcome),
      attempt.durationMs === null ? '-' : formatDuration(attempt.durationMs),
      printable(attempt.actor),
      whyOf(attempt),
    ]),
  )
}

/** The reason that was given, and what went wrong. */
function whyOf(attempt: Attempt): string {
  const parts = [attempt.reason, attempt.error?.message.split('\n')[0] ?? null]
  return parts
    .filter((part) => part !== null)
    .map(printable)
    .join('; ')
}
