import type { Expose } from '../../core/system.ts'
import type { KnownService, ResolvedEnvironment } from './resolve-environment.ts'
import type { PlacedExpose } from './resolve-expose.ts'
import type { Scope } from './scope.ts'

interface Entry extends PlacedExpose {
  readonly service: string
  /** Of the `expose` key that wrote it: the service's or the environment's. */
  readonly scope: Scope
}

/** Two ways into one environment must differ: in host or path on one HTTP port, in the port otherwise. */
export function checkEntries(
  environmentName: string,
  environment: ResolvedEnvironment,
  services: ReadonlyMap<string, KnownService>,
  scope: Scope,
): void {
  const { ingressPort } = environment
  const http = new Map<string, Entry>()
  const httpPorts = new Map<number, string>()
  if (ingressPort !== null) httpPorts.set(ingressPort, `the ingress of \`${environmentName}\``)
  const tcp = new Map<number, Entry>()
  const entries = entriesOf(environment, services, scope)
  for (const entry of entries) {
    if (entry.expose.kind !== 'http') continue
    const place = httpPlace(entry.expose, ingressPort)
    const taken = http.get(place)
    if (taken === undefined) http.set(place, entry)
    else
      report(
        entry,
        `\`${place}\` already leads to \`${taken.service}\``,
        'Give one of them another host or path.',
      )
    if (entry.expose.entryPort !== null) httpPorts.set(entry.expose.entryPort, `HTTP of \`${entry.service}\``)
  }
  for (const entry of entries) {
    if (entry.expose.kind !== 'tcp') continue
    const { entryPort } = entry.expose
    const holder = httpPorts.get(entryPort) ?? serviceText(tcp.get(entryPort))
    if (holder === undefined) tcp.set(entryPort, entry)
    else report(entry, `entry port ${entryPort} is already ${holder}`, 'Choose another entry port.')
  }
}

function entriesOf(
  environment: ResolvedEnvironment,
  services: ReadonlyMap<string, KnownService>,
  scope: Scope,
): readonly Entry[] {
  return [...services].flatMap(([service, known]) => {
    const overridden = environment.exposes.get(service)
    const placed = overridden ?? known.resolved.exposes
    const at = overridden === undefined ? known.scope : scope.within('services', service)
    return placed.map((one): Entry => ({ ...one, service, scope: at.within('expose') }))
  })
}

/** As people write it, with the port where that is known. */
function httpPlace(expose: Extract<Expose, { kind: 'http' }>, ingressPort: number | null): string {
  const port = expose.entryPort ?? ingressPort
  return `${expose.host}${port === null ? '' : `:${port}`}${expose.path}`
}

const serviceText = (entry: Entry | undefined): string | undefined =>
  entry === undefined ? undefined : `TCP of \`${entry.service}\``

const report = (entry: Entry, fact: string, remedy: string): void =>
  entry.scope.report(entry.path, fact, remedy)
