import { environmentNameOf, systemOf } from '../core/ids.ts'
import type { ProgressEvent } from '../core/op.ts'
import type { DeploymentResult, DeploymentStarted, PlanResult } from '../engine/engine.ts'
import type { RemoteEngine } from './client/remote-engine.ts'
import { confirm } from './confirm.ts'
import type { Context } from './context.ts'
import { followDeployment } from './follow-deployment.ts'
import { type PrintedDeployment, renderDeployment } from './render/deployment.ts'
import { openProgress } from './render/open-progress.ts'
import { renderPlan } from './render/plan.ts'

type Notify = (event: ProgressEvent) => void

/** What deploy, rollback and down have in common: show, ask, start, follow. */
export interface DeploymentParts {
  readonly kind: DeploymentResult['kind']
  readonly title: string
  /** Null where there is nothing to show beforehand. */
  readonly plan: ((notify: Notify) => Promise<PlanResult & { readonly schema: string }>) | null
  /** Gets the plan that was shown, to do just that. */
  start(plan: PlanResult | null, notify: Notify): Promise<DeploymentStarted & { readonly schema: string }>
  readonly dryRun: boolean
  /** Else a person is asked about a plan that warns. */
  readonly yes: boolean
  /** False: return as soon as it runs. */
  readonly follow: boolean
}

/** Resolves with the exit code. */
export async function runDeployment(
  engine: RemoteEngine,
  parts: DeploymentParts,
  context: Context,
): Promise<number> {
  const begin = context.now()
  const { output } = context
  const plan = parts.plan === null ? null : await watched(parts.plan, parts.title, context)
  if (plan !== null && parts.dryRun) {
    await output.result(plan, () => renderPlan(plan, output.paint, true))
    return 0
  }
  if (plan !== null && !plan.empty && output.format === 'table')
    output.note(`${renderPlan(plan, output.paintNote)}\n`)
  const warns = plan !== null && !plan.empty && plan.warnings.length > 0
  // A pipeline has nobody to ask, and has chosen to deploy.
  if (warns && !parts.yes && context.canAsk) await confirm(null, context)
  const started = await watched((notify) => parts.start(plan, notify), 'starting', context)
  if (started.deployment === null) {
    const unchanged = await unchangedResult(engine, parts.kind, started.plan, context.now() - begin)
    await output.result(unchanged, () => renderDeployment(unchanged, output.paint))
    return 0
  }
  const title = `${started.plan.to.name} → ${started.plan.environment}`
  if (parts.follow)
    return followDeployment(engine, started.deployment, context, parts.kind === 'down' ? parts.title : title)
  await output.result(
    started,
    () => `deployment ${started.deployment} runs; follow it: basalt follow ${started.deployment}`,
  )
  return 0
}

/** Runs a call with its progress shown. */
export async function watched<Result>(
  call: (notify: Notify) => Promise<Result>,
  title: string,
  context: Context,
): Promise<Result> {
  const view = openProgress(context.output, title)
  try {
    return await call((event) => view.show(event))
  } finally {
    view.stop()
  }
}

/** The document of a deployment that had nothing to do: what serves is what was asked for. */
async function unchangedResult(
  engine: RemoteEngine,
  kind: DeploymentResult['kind'],
  plan: PlanResult,
  durationMs: number,
): Promise<PrintedDeployment> {
  const status = await engine.status({
    system: systemOf(plan.environment),
    environment: environmentNameOf(plan.environment),
  })
  const serving = status.environments.find((environment) => environment.name === plan.environment)
  const name = (release: PlanResult['to']) => ({ name: release.name, digest: release.digest })
  return {
    schema: 'basalt.deployment/v1',
    deployment: null,
    kind,
    environment: plan.environment,
    release: name(plan.to),
    previous: plan.from === null ? null : name(plan.from),
    generation: serving?.generation ?? 0,
    outcome: 'unchanged',
    groups: {
      started: [],
      kept: plan.changes.flatMap((change) => (change.group === null ? [] : [change.group])),
      stopped: [],
    },
    requests: { total: 0, failed: 0 },
    durationMs,
    switchMs: null,
    error: null,
  }
}
