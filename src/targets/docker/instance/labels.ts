import * as z from 'zod'
import { digestOf } from '../../../core/digest.ts'
import type { GroupSpec } from '../../../core/generation.ts'
import type { InstanceId } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import type { InstanceFacts } from '../../host/instance/instance.ts'
import type { ContainerSummary } from '../engine/engine-schemas.ts'

const prefix = 'org.basalt.'

/** By it all that belongs to a home is found. */
export const homeLabel = (home: string): string => `${prefix}home=${home}`

/** Of containers that are made to look into an image, and never run. */
export const lookLabel = (home: string): string => `${prefix}look=${home}`

export const asLabels = (label: string): Readonly<Record<string, string>> => {
  const at = label.indexOf('=')
  return { [label.slice(0, at)]: label.slice(at + 1) }
}

/** All that a server has to know to take a container over; the first ones are for people and their filters. */
export function labelsOf(home: string, { instance, group, address, startedAt }: InstanceFacts) {
  const spec = JSON.stringify(group)
  return {
    [`${prefix}home`]: home,
    [`${prefix}environment`]: group.environment,
    [`${prefix}service`]: group.service,
    [`${prefix}group`]: group.id,
    [`${prefix}instance`]: instance,
    [`${prefix}image`]: group.image,
    [`${prefix}address`]: address,
    [`${prefix}started`]: String(startedAt),
    [`${prefix}spec`]: spec,
    [`${prefix}spec-digest`]: digestOf(spec),
  }
}

const labelsSchema = z.object({
  [`${prefix}instance`]: z.string().min(1),
  [`${prefix}address`]: z.ipv4(),
  [`${prefix}started`]: z.coerce.number(),
  [`${prefix}spec`]: z.string(),
  [`${prefix}spec-digest`]: z.string(),
})

/** Rejects with `docker.failed` for a container that carries our label but was not labelled by us. */
export function factsOf({ id, labels }: ContainerSummary): InstanceFacts {
  const parsed = labelsSchema.safeParse(labels)
  const spec = labels[`${prefix}spec`] ?? ''
  if (!parsed.success || digestOf(spec) !== labels[`${prefix}spec-digest`])
    throw new BasaltError('docker.failed', {
      message: `container ${id.slice(0, 12)} says that it belongs to this Basalt, but its labels are not Basalt's`,
      remedy: `Remove it: docker rm --force ${id.slice(0, 12)}`,
      details: { container: id },
    })
  return {
    instance: parsed.data[`${prefix}instance`] as InstanceId,
    group: JSON.parse(spec) as GroupSpec,
    address: parsed.data[`${prefix}address`] ?? '',
    startedAt: Number(parsed.data[`${prefix}started`]),
    provenHealthy: false,
  }
}
