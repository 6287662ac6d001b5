import type { GroupSpec } from '../../../core/generation.ts'
import { BasaltError } from '../../../errors.ts'
import { isAlive } from '../instance/instance.ts'
import type { LocalContext } from '../local-context.ts'

/** Durable data has one writer: refuses while any other living instance has one of the group's volumes. */
export function refuseSecondWriter(context: LocalContext, group: GroupSpec): void {
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
