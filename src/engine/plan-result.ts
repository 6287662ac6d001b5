import type { Plan, Step } from '../core/plan.ts'
import type { Target } from '../targets/target.ts'
import type { PlanResult, PlanStep } from './engine.ts'

/** A plan as people and pipelines read it. */
export function planResult(plan: Plan, target: Target, warnings: readonly string[]): PlanResult {
  const { from, to, steps, changes } = plan
  const changesRelease = from?.release.digest !== to.release.digest || to.groups.length === 0
  return {
    environment: to.environment,
    from: from?.release ?? null,
    to: to.release,
    empty: steps.length === 0 && !(changesRelease && from !== null),
    changes,
    steps: steps.map(planStep),
    warnings: [...pauseWarnings(plan), ...guaranteeWarnings(target), ...warnings],
  }
}

function planStep(step: Step): PlanStep {
  switch (step.kind) {
    case 'start':
      return {
        ...named(step),
        text: `start ${step.replicas} × ${step.service} (${step.group}) and wait until healthy`,
      }
    case 'route':
      return {
        kind: 'route',
        service: null,
        group: null,
        text:
          step.generation === null
            ? 'stop routing'
            : `switch ${counted(step.routes, 'route')} to generation ${step.generation}`,
      }
    case 'drain':
      return { ...named(step), text: `let ${step.service} (${step.group}) finish what it began` }
    case 'stop':
      return {
        ...named(step),
        text:
          step.keep === 0
            ? `stop ${step.service} (${step.group})`
            : `stop all but ${step.keep} of ${step.service} (${step.group})`,
      }
  }
}

const named = (step: Exclude<Step, { kind: 'route' }>) => ({
  kind: step.kind,
  service: step.service,
  group: step.group,
})

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const pauseWarnings = ({ pauses }: Plan): readonly string[] =>
  pauses.map(
    (service) => `${service} is stateful: it is stopped before its successor starts, and pauses meanwhile`,
  )

function guaranteeWarnings({ name, guarantees }: Target): readonly string[] {
  const missing: string[] = []
  if (!guarantees.atomicSwitch) missing.push('routes switch one after the other')
  if (!guarantees.sealedGenerations) missing.push('a name may reach another generation')
  if (!guarantees.drains) missing.push('requests in flight may be cut')
  return missing.map((fact) => `target ${name}: ${fact}`)
}
