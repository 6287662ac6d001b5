import type { GroupSpec } from '../../../core/generation.ts'
import { BasaltError } from '../../../errors.ts'
import { type Instance, isAlive } from '../instance/instance.ts'
import type { InstanceContext } from '../instance-context.ts'

/**
 * Registers new instances of a group, none at the same time as those of another that may write the same volumes.
 * Rejects with `volume.in-use` while any other living instance has one of them: durable data has one writer.
 */
export function registerWriters<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupSpec,
  register: () => Promise<readonly I[]>,
): Promise<readonly I[]> {
  if (group.run.volumes.length === 0) return register()
  return context.volumes.run(() => {
    refuseSecondWriter(context, group)
    return register()
  })
}

function refuseSecondWriter<I extends Instance>(context: InstanceContext<I>, group: GroupSpec): void {
  for (const { name } of group.run.volumes) {
    const writer = [...context.instances.values()].find(
      (instance) =>
        isAlive(instance) &&
        instance.record.group.environment === group.environment &&
        (instance.record.group.id !== group.id || group.run.stateful) &&
        instance.record.group.run.volumes.some((volume) => volume.name === name),
    )
    if (writer === undefined) continue
    throw new BasaltError('volume.in-use', {
      message: `volume ${name} of ${group.environment} is still written by ${writer.id}`,
      remedy: `Stop ${writer.record.group.id} first.`,
      details: { volume: name, group: group.id, writer: writer.id },
    })
  }
}
