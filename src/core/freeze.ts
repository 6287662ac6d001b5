import { invariant } from '../errors.ts'
import type { Digest, ImageDigest } from './ids.ts'
import type { Release, ReleaseService, ReleaseSource } from './release.ts'
import type { System } from './system.ts'

export interface BuiltSystem {
  /** By service. */
  readonly images: Readonly<Record<string, ImageDigest>>
  readonly source: ReleaseSource
  /** Builder name to version. */
  readonly builders: Readonly<Record<string, string>>
  readonly lock: Digest | null
}

/** System + images = Release. Environments stay outside: a release knows none. */
export function freeze(system: System, built: BuiltSystem): Release {
  const services = Object.entries(system.services).map(
    ([name, { run, expose, replicas, labels }]): [string, ReleaseService] => {
      const image = built.images[name]
      invariant(image !== undefined, `no image was built for ${name}`)
      return [name, { image, run, expose, replicas, ...(Object.keys(labels).length === 0 ? {} : { labels }) }]
    },
  )
  return {
    schema: 'basalt.release/v1',
    system: system.name,
    services: Object.fromEntries(services),
    source: built.source,
    builders: built.builders,
    lock: built.lock,
  }
}
