import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import type { InstanceId } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import { followHealth } from '../../host/instance/follow-health.ts'
import type { InstanceFacts } from '../../host/instance/instance.ts'
import { numberOfAddress } from '../../host/network/network-plan.ts'
import type { DockerContext } from '../docker-context.ts'
import type { ContainerSummary } from '../engine/engine-schemas.ts'
import { noteEnd } from './confirm-alive.ts'
import { createDockerInstance } from './docker-instance.ts'
import { factsOf, lookLabel } from './labels.ts'

/**
 * Takes over what an earlier server left, by the containers' labels: goes on with what runs, keeps what ended for
 * `start` or `stop` to replace or remove, and removes what was half-made.
 */
export async function adoptInstances(context: DockerContext): Promise<void> {
  const { engine, router, homeLabel, home } = context
  const containers = await engine.containers(homeLabel)
  // The router's own adoption takes as long and is waited for next; a failure of it is told to whoever asks.
  if (containers.length > 0) router.members({ signal: new AbortController().signal }).catch(() => {})
  await Promise.all(containers.map((container) => adopt(context, container)))
  for (const { id } of await engine.containers(lookLabel(home))) await engine.remove(id)
  await removeStrayFolders(context)
}

async function adopt(context: DockerContext, container: ContainerSummary): Promise<void> {
  const { engine, instances, groups, addresses, paths, report } = context
  let facts: InstanceFacts
  try {
    facts = factsOf(container)
  } catch (error) {
    // Somebody else's: one of these must not keep the rest from being taken over.
    if (error instanceof BasaltError) report(error)
    return
  }
  // Made, and never run: the server ended in between.
  if (container.state === 'created') return engine.remove(container.id)
  addresses.use(numberOfAddress(facts.address))
  groups.set(facts.group.id, facts.group)
  const instance = createDockerInstance(
    { ...facts, provenHealthy: existsSync(paths.instance(facts.instance).proven) },
    container.id,
  )
  instances.set(instance.id, instance)
  if (container.state === 'running' || container.state === 'paused') followHealth(context, instance)
  else await noteEnd(context, instance)
}

async function removeStrayFolders({ paths, instances }: DockerContext): Promise<void> {
  for (const name of await readdir(paths.instances).catch(() => []))
    if (!instances.has(name as InstanceId))
      await rm(paths.instance(name as InstanceId).folder, { recursive: true, force: true })
}
