import type { EnvironmentStatus, StatusResult } from '../../engine/engine.ts'
import { formatDuration } from '../duration.ts'
import { shortDigest } from './names.ts'
import type { Paint, Style } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

const styles: Readonly<Record<EnvironmentStatus['state'], Style>> = {
  serving: 'green',
  degraded: 'yellow',
  deploying: 'cyan',
  down: 'dim',
}

/** Environments, then their services, then what is wrong. `now` in milliseconds since the epoch. */
export function renderStatus(status: StatusResult, paint: Paint, now: number): string {
  if (status.environments.length === 0)
    return 'Nothing is deployed. Deploy the system of this folder with `basalt deploy`.'
  const sections = [
    renderTable(
      ['ENVIRONMENT', 'STATE', 'RELEASE', 'HEALTHY', 'ENDPOINTS', 'WARM', 'DRIFT', 'DEPLOYMENT'],
      status.environments.map((environment) => environmentRow(environment, paint, now)),
    ),
    renderServices(status.environments, paint),
    status.environments.flatMap((environment) => troubles(environment, paint)).join('\n'),
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function environmentRow(environment: EnvironmentStatus, paint: Paint, now: number): readonly string[] {
  const { warm, services } = environment
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
  const healthy = sum(services.map((service) => service.healthy))
  const desired = sum(services.map((service) => service.desired))
  return [
    paint('bold', environment.name),
    paint(styles[environment.state], environment.state),
    environment.release?.name ?? '-',
    healthy < desired ? paint('yellow', `${healthy}/${desired}`) : `${healthy}/${desired}`,
    environment.endpoints.join(' ') || '-',
    warm === null || warm.until <= now ? '-' : `${warm.release} for ${formatDuration(warm.until - now)}`,
    environment.drift.length === 0 ? 'none' : paint('yellow', String(environment.drift.length)),
    environment.deployment ?? '-',
  ]
}

function renderServices(environments: readonly EnvironmentStatus[], paint: Paint): string {
  const rows = environments.flatMap(({ name, services }) =>
    services.map((service) => [
      name,
      service.name,
      service.healthy < service.desired
        ? paint('yellow', `${service.healthy}/${service.desired}`)
        : `${service.healthy}/${service.desired}`,
      service.group,
      shortDigest(service.image),
      ...trafficCells(service.traffic, paint),
    ]),
  )
  return rows.length === 0 ? '' : renderTable(headings, rows)
}

const headings = ['ENVIRONMENT', 'SERVICE', 'HEALTHY', 'GROUP', 'IMAGE', 'REQUESTS', 'FAILED', 'P50', 'P99']

function trafficCells(traffic: EnvironmentStatus['traffic'], paint: Paint): readonly string[] {
  if (traffic === null) return ['-', '-', '-', '-']
  const { requests, failed, p50Ms, p99Ms } = traffic
  const failures = failed.toLocaleString('en')
  return [
    requests.toLocaleString('en'),
    failed > 0 ? paint('yellow', failures) : failures,
    latency(p50Ms),
    latency(p99Ms),
  ]
}

const latency = (ms: number | null): string => (ms === null ? '-' : formatDuration(ms))

function troubles(environment: EnvironmentStatus, paint: Paint): readonly string[] {
  const say = (kind: string, text: string): string =>
    `${paint('yellow', `${environment.name} ${kind}:`)} ${printable(text)}`
  return [
    ...environment.services.flatMap((service) => service.problems.map((problem) => say('problem', problem))),
    ...environment.drift.map((difference) => say('drift', difference)),
  ]
}
