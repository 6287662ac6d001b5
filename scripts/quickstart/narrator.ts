import type { LoadReport } from '../../bench/load/load-report.ts'
import type { BuildResult, DeploymentResult } from '../../src/engine/engine.ts'
import type { CommandResult } from './basalt-command.ts'

export interface ToldStep<Document> {
  readonly document: Document
  readonly durationMs: number
}

const indent = ' '.repeat(12)

/** Says what is run, runs it, and says what came of it. */
export async function tellStep<Document>(
  title: string,
  command: string,
  run: () => Promise<CommandResult>,
  summary: (document: Document) => string,
): Promise<ToldStep<Document>> {
  console.log(`${title.padEnd(indent.length)}$ ${command}`)
  const result = await run()
  const document = result.document as Document
  console.log(`${indent}${summary(document)} (${duration(result.durationMs)})\n`)
  return { document, durationMs: result.durationMs }
}

export const tellAside = (text: string): void => console.log(`${indent}${text}\n`)

export function buildSummary({ images, release }: BuildResult): string {
  const megabytes = Math.round(images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1e6)
  return `${images.length} images (${megabytes} MB) from Debian packages, frozen as ${release.name}`
}

export function deploymentSummary({ release, groups }: DeploymentResult): string {
  return [
    `${release?.name} serves`,
    ...(groups.started.length > 0 ? [`started ${servicesOf(groups.started)}`] : []),
    ...(groups.kept.length > 0 ? [`kept ${servicesOf(groups.kept)}`] : []),
    ...(groups.stopped.length > 0 ? [`stopped ${servicesOf(groups.stopped)}`] : []),
  ].join('; ')
}

const servicesOf = (groups: readonly string[]): string =>
  groups.map((group) => group.replace(/-[0-9a-f]{16}$/, '')).join(', ')

export function loadTable(
  report: LoadReport,
  rollback: ToldStep<DeploymentResult>,
): readonly (readonly [string, string])[] {
  const { latencyMs, failures } = report
  const reasons = Object.entries(failures).map(([reason, count]) => `${count} × ${reason}`)
  return [
    ['requests sent', `${report.requests}`],
    ['failed', [`${report.failed}`, ...reasons].join(', ')],
    ['answers that mix two releases', `${report.mixed}`],
    ['web releases that answered, in order', report.periods.map(({ stamps }) => stamps['web']).join(' → ')],
    ['latency p50, p99', latencyMs === null ? 'none' : `${latencyMs.p50} ms, ${latencyMs.p99} ms`],
    ['warm rollback, the whole command', duration(rollback.durationMs)],
    ['warm rollback, the switch itself', duration(Math.round(rollback.document.switchMs ?? 0))],
  ]
}

export function tellTable(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) console.log(`  ${name.padEnd(width)}  ${value}`)
}

const duration = (milliseconds: number): string =>
  milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`
