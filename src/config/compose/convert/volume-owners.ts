import type { ComposeMistakes } from '../compose-mistakes.ts'
import { type ComposeMap, type ComposeNode, member, membersOf } from '../compose-node.ts'
import type { LoadedService } from '../load/load-project.ts'
import { NamesInUse } from '../names-in-use.ts'
import type { ServiceDraft } from '../service-draft.ts'
import { type Mount, parseMount } from './parse-mount.ts'

/** Who writes which named volume: the first service that mounts it to write; nobody, where all only read. */
export class VolumeOwners {
  readonly #owners = new Map<string, string>()
  readonly #names = new NamesInUse('volume')
  readonly #declared: ComposeMap | null

  constructor(
    services: Iterable<LoadedService>,
    declared: ComposeNode | undefined,
    mistakes: ComposeMistakes,
  ) {
    this.#declared = declared?.kind === 'map' ? declared : null
    for (const service of services) {
      const list = member(service.block, 'volumes')
      for (const item of list?.kind === 'list' ? list.items : [])
        for (const { kind, source, isReadOnly, at } of parseMount(item, mistakes)) {
          if (kind !== 'volume' || source === undefined) continue
          if (this.#declared?.entries.has(source) !== true)
            mistakes.report(
              at,
              `the volume \`${source}\` is not declared`,
              `Add \`volumes: { ${source}: }\` at the top.`,
            )
          if (!isReadOnly && !this.#owners.has(source)) this.#owners.set(source, service.name)
        }
    }
    for (const [name] of membersOf(this.#declared ?? undefined)) this.#names.take(name)
  }

  nameOf(source: string): string {
    return this.#names.take(source)
  }

  /** A name for the data that a bind mount kept. */
  nameFor(draft: ServiceDraft, target: string): string {
    const last = target.split('/').at(-1) ?? 'data'
    return this.#names.takeNew(`${draft.name}-${last}`)
  }

  /** Why the service cannot have the volume; null: it can. */
  obstacle(source: string, draft: ServiceDraft, mount: Mount, isMounted: boolean): string | null {
    const owner = this.#owners.get(source)
    const settings = this.#declared?.entries.get(source)?.value
    const driver = member(settings, 'driver')
    if (member(settings, 'driver_opts') !== undefined || (driver?.kind === 'text' && driver.text !== 'local'))
      return 'a volume with a driver or options of its own; volumes are folders of the target'
    if (owner === undefined) return 'it is only read, and nobody here writes it'
    if (owner !== draft.service.name)
      return `it is written by \`${owner}\`; a volume has one writer and no other readers`
    if (mount.hasSubpath) return 'a volume is mounted as a whole'
    return isMounted ? 'it is mounted at another path already' : null
  }
}
