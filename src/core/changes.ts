import { canonicalJson } from './digest.ts'
import type { Generation, GroupSpec } from './generation.ts'
import type { GroupId } from './ids.ts'
import type { Observation } from './observation.ts'

/** What a deployment means for one service, and why. */
export interface ServiceChange {
  readonly service: string
  readonly action: 'start' | 'keep' | 'stop' | 'replace' | 'scale'
  /** The group of the new generation; null when the service goes. */
  readonly group: GroupId | null
  /** The group that it replaces or that goes; null when there is none. */
  readonly replaces: GroupId | null
  readonly replicas: number
  /** Every instance it needs is already healthy, so replacing costs no start. */
  readonly warm: boolean
  readonly why: readonly string[]
}

/** Sorted by service. */
export function changesBetween(
  from: Generation | null,
  to: Generation,
  observation: Observation,
): readonly ServiceChange[] {
  const healthy = healthyCounts(observation)
  const before = new Map((from?.groups ?? []).map((group) => [group.service, group]))
  const after = new Map(to.groups.map((group) => [group.service, group]))
  const renewed = from === null ? [] : renewalReasons(from, to)
  const changes = to.groups.map((group): ServiceChange => {
    const old = before.get(group.service)
    const warm = (healthy.get(group.id) ?? 0) >= group.replicas
    const common = { service: group.service, group: group.id, replicas: group.replicas, warm }
    if (old === undefined) return { ...common, action: 'start', replaces: null, why: ['new service'] }
    if (old.id !== group.id)
      return { ...common, action: 'replace', replaces: old.id, why: reasons(old, group, renewed) }
    if (old.replicas !== group.replicas)
      return {
        ...common,
        action: 'scale',
        replaces: null,
        why: [`replicas ${old.replicas} → ${group.replicas}`],
      }
    if (warm) return { ...common, action: 'keep', replaces: null, why: ['unchanged'] }
    const missing = group.replicas - (healthy.get(group.id) ?? 0)
    return {
      ...common,
      action: 'start',
      replaces: null,
      why: [`${missing} of ${group.replicas} not healthy`],
    }
  })
  const gone = [...before.values()]
    .filter(({ service }) => !after.has(service))
    .map(({ service, id }): ServiceChange => {
      const common = { service, group: null, replaces: id, replicas: 0, warm: true }
      return {
        ...common,
        action: 'stop',
        why: [`not in ${to.groups.length === 0 ? 'use any more' : to.release.name}`],
      }
    })
  return [...changes, ...gone].toSorted((a, b) => (a.service < b.service ? -1 : 1))
}

/** Healthy instances by group. */
export const healthyCounts = (observation: Observation): ReadonlyMap<GroupId, number> =>
  new Map(
    observation.groups.map(({ id, instances }) => [
      id,
      instances.filter(({ state }) => state === 'healthy').length,
    ]),
  )

const shortDigest = (digest: string): string => digest.slice('sha256:'.length, 'sha256:'.length + 8)

/** In words, what gave `to` another id than `from`. */
function reasons(from: GroupSpec, to: GroupSpec, renewed: readonly string[]): readonly string[] {
  const found = [...renewed]
  if (from.image !== to.image) found.push(`image ${shortDigest(from.image)} → ${shortDigest(to.image)}`)
  for (const key of Object.keys(to.run).toSorted() as (keyof GroupSpec['run'])[]) {
    if (key === 'env') found.push(...envReasons(from.run.env, to.run.env))
    else if (canonicalJson(from.run[key]) !== canonicalJson(to.run[key])) found.push(`${key} changed`)
  }
  for (const [need, group] of Object.entries(to.needs)) {
    const old = from.needs[need]
    if (old !== undefined && old !== group) found.push(`needs ${need}, which is replaced`)
  }
  return found.length === 0 ? ['a service of its cycle changes'] : found
}

/** Why every service has a new group, whatever else changes. */
function renewalReasons(from: Generation, to: Generation): readonly string[] {
  if (from.binding.target !== to.binding.target)
    return [`moves from target ${from.binding.target} to ${to.binding.target}`]
  return from.binding.epoch === to.binding.epoch ? [] : ['everything is replaced on request']
}

function envReasons(
  from: Readonly<Record<string, string>>,
  to: Readonly<Record<string, string>>,
): readonly string[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].toSorted()
  return names.filter((name) => from[name] !== to[name]).map((name) => `env ${name}`)
}
