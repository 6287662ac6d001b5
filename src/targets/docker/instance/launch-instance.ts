import { mkdir } from 'node:fs/promises'
import type { GroupSpec } from '../../../core/generation.ts'
import { instanceId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { commandMissing } from '../../host/group/command-missing.ts'
import { makeVolumes } from '../../host/group/make-volumes.ts'
import { needAddresses } from '../../host/group/need-addresses.ts'
import { registerWriters } from '../../host/group/volume-writers.ts'
import { finish, followHealth } from '../../host/instance/follow-health.ts'
import { changed } from '../../host/instance/instance.ts'
import { hostnameOf, writeNameFiles } from '../../host/instance/name-files.ts'
import { addressOf } from '../../host/network/network-plan.ts'
import type { DockerContext } from '../docker-context.ts'
import { hasStatus } from '../engine/engine-errors.ts'
import { ensureEngineNetwork } from '../engine-network.ts'
import { type ContainerInput, containerWish } from './container-wish.ts'
import { createDockerInstance, type DockerInstance } from './docker-instance.ts'
import { labelsOf } from './labels.ts'

/** What all new instances of a group share. */
type LaunchPlan = Pick<ContainerInput, 'image' | 'user' | 'volumes'> & {
  /** Need to the address at which the router answers for it. */
  readonly needs: Readonly<Record<string, string>>
}

/** Registers and starts new instances of a group. All of them come to rest before a failure is told. */
export async function launchInstances(
  context: DockerContext,
  group: GroupSpec,
  count: number,
  op: Op,
): Promise<void> {
  const plan = await launchPlan(context, group, op)
  const instances = await registerWriters(context, group, () => register(context, group, count))
  const launches = await Promise.allSettled(instances.map((instance) => launch(context, plan, instance)))
  for (const launch of launches) if (launch.status === 'rejected') throw launch.reason
}

async function launchPlan(context: DockerContext, group: GroupSpec, op: Op): Promise<LaunchPlan> {
  const { engine, home, network, paths } = context
  const [{ id, image }, needs] = await Promise.all([
    context.images.ensure(group.image, op),
    needAddresses(context, group),
    network.secured(),
    ensureEngineNetwork(engine, home, network.plan),
  ])
  if ((group.run.command ?? [...image.config.entrypoint, ...image.config.command]).length === 0)
    throw commandMissing(group)
  // Only what is made for the user has to know who it is; the process itself is the Engine's matter.
  const ownsSomething = group.run.writable.length + group.run.volumes.length > 0
  const name = group.run.user ?? image.config.user
  const user = ownsSomething ? await context.userOf(id, name) : { uid: 0, gid: 0 }
  return { image: id, needs, user, volumes: await makeVolumes(paths, group, user) }
}

async function register(
  context: DockerContext,
  group: GroupSpec,
  count: number,
): Promise<readonly DockerInstance[]> {
  const numbers = await context.numbers.take(count)
  return numbers.map((number) => {
    const facts = {
      instance: instanceId(group.id, number),
      group,
      address: addressOf(context.network.plan, context.addresses.next()),
      startedAt: context.now(),
      provenHealthy: false,
    }
    const instance = createDockerInstance(facts, null)
    context.instances.set(instance.id, instance)
    return instance
  })
}

async function launch(context: DockerContext, plan: LaunchPlan, instance: DockerInstance): Promise<void> {
  const { engine, home, network, paths } = context
  const facts = instance.record
  const { folder, ...files } = paths.instance(instance.id)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const hostname = hostnameOf(instance.id)
  writeNameFiles(files, { hostname, address: facts.address, needs: plan.needs })
  const { image, user, volumes } = plan
  const labels = labelsOf(home, facts)
  instance.container = await engine.create(
    containerWish({ facts, network: network.plan.bridge, image, labels, user, files, volumes }),
  )
  instance.started = true
  await run(context, instance, instance.container)
}

/** That a command cannot be run says something about the instance; that nobody answers does not. */
async function run(context: DockerContext, instance: DockerInstance, container: string): Promise<void> {
  try {
    await context.engine.start(container)
  } catch (error) {
    if (!hasStatus(error, 400, 404, 409, 500)) throw error
    instance.refusal = (await context.engine.inspect(container))?.error || (error as Error).message
    return finish(context, instance, { exitCode: null, at: context.now() })
  }
  if (instance.end !== null) return
  followHealth(context, instance)
  changed(instance)
}
