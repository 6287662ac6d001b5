import { asBlock, member, membersOf, textOf, textsOf } from '../compose-node.ts'
import type { ComposeProject, LoadedService } from '../load/load-project.ts'

/** Services that do not become part of basalt.yaml, with the reason. */
export function leftOutServices(
  project: ComposeProject,
  sourceObstacle: (service: LoadedService) => string | null,
): ReadonlyMap<string, string> {
  const profiles = new Set((project.lookup('COMPOSE_PROFILES') ?? '').split(',').map((name) => name.trim()))
  const jobs = jobsOf(project)
  const leftOut = new Map<string, string>()
  for (const service of project.services.values()) {
    const reason = reasonOf(service, profiles, jobs) ?? sourceObstacle(service)
    if (reason !== null) leftOut.set(service.name, reason)
  }
  return leftOut
}

/** What others wait for to end is no service. */
function jobsOf(project: ComposeProject): ReadonlySet<string> {
  const jobs = new Set<string>()
  for (const { block } of project.services.values()) {
    const dependencies = member(block, 'depends_on')
    for (const [name, { value }] of membersOf(dependencies === undefined ? undefined : asBlock(dependencies)))
      if (textOf(member(value, 'condition'))?.text === 'service_completed_successfully') jobs.add(name)
  }
  return jobs
}

function reasonOf(
  { name, block }: LoadedService,
  profiles: ReadonlySet<string>,
  jobs: ReadonlySet<string>,
): string | null {
  const own = textsOf(member(block, 'profiles')).map(({ text }) => text)
  if (own.length > 0 && !own.some((profile) => profiles.has(profile)) && !profiles.has('*'))
    return `it belongs to the profile \`${own.join('`, `')}\`; set COMPOSE_PROFILES to have it`
  if (member(block, 'provider') !== undefined) return 'another program provides it'
  const deploy = member(block, 'deploy')
  if (jobs.has(name) || textOf(member(deploy, 'mode'))?.text.endsWith('-job') === true)
    return 'it is a job, which ends by itself; an instance that ends is replaced here'
  const replicas = textOf(member(deploy, 'replicas') ?? member(block, 'scale'))?.text
  if (replicas === '0') return 'it has no instances'
  return null
}
