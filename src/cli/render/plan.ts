import type { ServiceChange } from '../../core/changes.ts'
import type { PlanResult } from '../../engine/engine.ts'
import type { Paint, Style } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

const styles: Readonly<Record<ServiceChange['action'], Style>> = {
  start: 'green',
  keep: 'dim',
  stop: 'red',
  replace: 'yellow',
  scale: 'cyan',
}

/** What would be started, kept and stopped, and why; with `steps` also in which order. */
export function renderPlan(plan: PlanResult, paint: Paint, steps = false): string {
  const from = plan.from === null ? 'nothing' : plan.from.name
  const head = `${paint('bold', plan.environment)}: ${from} → ${paint('bold', plan.to.name)}`
  const sections = [
    plan.empty ? `${head}\n\nNothing to do: it serves just that.` : head,
    renderChanges(plan.changes, paint),
    ...(steps && plan.steps.length > 0
      ? [`Steps:\n${plan.steps.map((step, index) => `  ${index + 1}. ${printable(step.text)}`).join('\n')}`]
      : []),
    ...(plan.warnings.length > 0
      ? [plan.warnings.map((warning) => `${paint('yellow', 'warning:')} ${printable(warning)}`).join('\n')]
      : []),
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function renderChanges(changes: readonly ServiceChange[], paint: Paint): string {
  if (changes.length === 0) return ''
  const rows = changes.map((change) => [
    paint(styles[change.action], change.action),
    change.service,
    change.action === 'stop' ? '' : `${change.replicas}`,
    [
      ...(change.warm && change.action !== 'keep' ? [paint('green', 'warm')] : []),
      ...change.why.map(printable),
    ].join(', '),
  ])
  return renderTable(['ACTION', 'SERVICE', 'INSTANCES', 'WHY'], rows)
}
