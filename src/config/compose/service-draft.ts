import type { ComposeMistakes } from './compose-mistakes.ts'
import type { ComposeNode, ComposePlace } from './compose-node.ts'
import type { ImportTable } from './import-table.ts'
import type { KnownImage } from './known-images.ts'
import type { LoadedService, ProjectSource } from './load/load-project.ts'
import type { Fate } from './rules/key-rule.ts'
import { holdsSecret } from './secret-values.ts'

/** What one may know of an image without having it. */
export interface ImageHints extends KnownImage {
  /** Ports that its Dockerfile or the list of known images names. */
  readonly ports: readonly { readonly port: number; readonly isHttp: boolean | null }[]
}

/** The value of a variable, or an argument of a command. */
interface Mention {
  readonly variable: string | null
  readonly text: string
}

/** A service on its way from Compose to basalt.yaml. */
export class ServiceDraft {
  /** In basalt.yaml. */
  readonly name: string
  readonly service: LoadedService
  readonly hints: ImageHints
  /** The service as basalt.yaml will have it. */
  readonly manifest: Record<string, unknown> = {}
  /** Comments by the key of `manifest` that they stand above; `''`: at the end. */
  readonly comments = new Map<string, string[]>()
  /** Texts in which other services may be named, secrets included. */
  readonly mentions: Mention[] = []
  /** Paths at which something was mounted that was not carried over. */
  readonly refusedMounts = new Set<string>()
  readonly #table: ImportTable
  readonly mistakes: ComposeMistakes
  readonly source: ProjectSource
  /** The project's `secrets`. */
  readonly declaredSecrets: ComposeNode | undefined

  constructor(
    name: string,
    service: LoadedService,
    hints: ImageHints,
    world: {
      readonly table: ImportTable
      readonly mistakes: ComposeMistakes
      readonly source: ProjectSource
      readonly declaredSecrets: ComposeNode | undefined
    },
  ) {
    this.name = name
    this.service = service
    this.hints = hints
    this.#table = world.table
    this.mistakes = world.mistakes
    this.source = world.source
    this.declaredSecrets = world.declaredSecrets
  }

  /** A row of the table; what was changed or refused is also said in basalt.yaml, above `under` when it is there. */
  tell(fate: Fate, key: string, at: ComposePlace, text: string, under = ''): void {
    this.#table.add(this.service.name, key, fate, at, text)
    if (fate !== 'changed' && fate !== 'refused') return
    const comments = this.comments.get(under) ?? []
    const comment = `${key}${fate === 'refused' ? ' (refused)' : ''}: ${text}`
    if (!comments.includes(comment)) this.comments.set(under, [...comments, comment])
  }

  /** The text of a scalar; null, and a row, where it holds a secret. */
  plain(node: ComposeNode | undefined, key: string): string | null {
    if (node?.kind !== 'text') return null
    if (node.secret === null && !holdsSecret(node.text)) return node.text
    this.tellSecret(key, node.at, node.secret)
    return null
  }

  tellSecret(key: string, at: ComposePlace, variable: string | null): void {
    const what = variable === null ? 'looks like a secret' : `holds the secret \`${variable}\``
    this.tell('refused', key, at, `it ${what}, which is never written into basalt.yaml`)
  }
}
