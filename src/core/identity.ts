import { invariant } from '../errors.ts'
import { components } from './components.ts'
import { digestOf } from './digest.ts'
import { type Digest, type EnvironmentId, type GroupId, groupId, type ImageDigest } from './ids.ts'
import type { RunSpec } from './system.ts'

export interface ServiceToIdentify {
  readonly image: ImageDigest
  readonly run: RunSpec
}

export interface GroupIdentity {
  readonly id: GroupId
  readonly needs: Readonly<Record<string, GroupId>>
}

/**
 * The id of every group of a generation: a digest of everything that decides its behaviour, the ids of the
 * groups that it needs included, so that a change travels to all who depend on it. Services that need each
 * other in a cycle share one identity. Replica counts, exposes and labels decide no behaviour.
 */
export function identify(
  environment: EnvironmentId,
  epoch: number,
  services: Readonly<Record<string, ServiceToIdentify>>,
): ReadonlyMap<string, GroupIdentity> {
  const graph = new Map(Object.entries(services).map(([name, { run }]) => [name, run.needs]))
  const ids = new Map<string, GroupId>()

  for (const members of components(graph)) {
    const shared = digestOf({
      schema: 'basalt.group/v1',
      environment,
      epoch,
      members: Object.fromEntries(members.map((name) => [name, behaviourOf(services, name)])),
      needs: Object.fromEntries(outsideNeeds(graph, members).map((need) => [need, ids.get(need) ?? null])),
    })
    for (const name of members) ids.set(name, groupId(name, memberDigest(shared, name)))
  }

  return new Map(
    [...graph].map(([name, needs]) => [
      name,
      { id: idOf(ids, name), needs: Object.fromEntries(needs.map((need) => [need, idOf(ids, need)])) },
    ]),
  )
}

const memberDigest = (shared: Digest, name: string): Digest => digestOf({ shared, name })

function behaviourOf(services: Readonly<Record<string, ServiceToIdentify>>, name: string): object {
  const service = services[name]
  return service === undefined ? {} : { image: service.image, run: service.run }
}

function outsideNeeds(
  graph: ReadonlyMap<string, readonly string[]>,
  members: readonly string[],
): readonly string[] {
  const needs = new Set(members.flatMap((member) => graph.get(member) ?? []))
  for (const member of members) needs.delete(member)
  return [...needs].toSorted()
}

function idOf(ids: ReadonlyMap<string, GroupId>, name: string): GroupId {
  const id = ids.get(name)
  invariant(id !== undefined, `service ${name} is needed but not in the release`)
  return id
}
