import {
  Document,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { defaults } from '../defaults.ts'
import type { ServiceDraft } from './service-draft.ts'

export interface ManifestContent {
  readonly system: string
  readonly schema: string
  readonly files: readonly string[]
  readonly drafts: readonly ServiceDraft[]
  readonly leftOut: ReadonlyMap<string, string>
  readonly target: 'docker' | 'local'
  readonly ingress: number
  readonly watch: string | null
}

/** The order in which a service's keys are read best. */
const keyOrder = [
  'build',
  'image',
  'command',
  'env',
  'port',
  'ports',
  'expose',
  'replicas',
  'health',
  'needs',
  'writable',
  'stateful',
  'volumes',
  'limits',
  'user',
  'capabilities',
  'stop',
  'labels',
]
/** Comments longer than this are for the table, which has all of them. */
const longestComment = 160

/** The text of basalt.yaml, with a comment wherever something is not what the Compose file says. */
export function renderManifest(content: ManifestContent): string {
  const services: Record<string, unknown> = {}
  for (const { name, manifest } of content.drafts)
    services[name] = Object.fromEntries(
      keyOrder.filter((key) => key in manifest).map((key) => [key, manifest[key]]),
    )
  const document = new Document({
    system: content.system,
    services,
    environments: {
      [defaults.environment.name]: {
        ...(content.target === 'docker' && { target: content.target }),
        ingress: content.ingress,
        ...(content.watch !== null && { watch: content.watch }),
      },
    },
  })
  document.commentBefore = [
    ` yaml-language-server: $schema=${oneLine(content.schema)}`,
    '',
    ` Made from ${content.files.map(oneLine).join(', ')} by \`basalt init --from\`. Comments say what is not as it was there.`,
    ' Check it with `basalt validate`, see what a deployment would do with `basalt plan`, run it with `basalt deploy`.',
  ].join('\n')
  decorate(document, content)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

function decorate(document: Document, { drafts, leftOut }: ManifestContent): void {
  const root = document.contents
  if (!isMap(root)) return
  for (const pair of (root as YAMLMap<Scalar>).items.slice(1)) pair.key.spaceBefore = true
  const services = document.get('services')
  if (!isMap(services)) return
  for (const [index, pair] of (services.items as Pair<Scalar, YAMLMap>[]).entries()) {
    const draft = drafts[index]
    if (draft === undefined || pair.value === null) continue
    if (index > 0) pair.key.spaceBefore = true
    commentKeys(pair, draft)
    flattenLists(pair.value)
  }
  if (leftOut.size === 0) return
  const lines = [...leftOut].map(([name, reason]) => comment(`${name} is left out: ${reason}`))
  services.comment = lines.join('\n')
}

/** A comment stands above its key; one whose key was not written stands above the service. */
function commentKeys(pair: Pair<Scalar, YAMLMap>, draft: ServiceDraft): void {
  const above: string[] = [...(draft.comments.get('') ?? [])]
  const rest = new Map(draft.comments)
  rest.delete('')
  for (const inner of (pair.value as YAMLMap<Scalar>).items) {
    const key = String(inner.key.value)
    // `port` and `ports` are one thing to those who tell of it.
    const name = key === 'port' ? 'ports' : key
    const comments = rest.get(name)
    rest.delete(name)
    if (comments !== undefined) inner.key.commentBefore = comments.map(comment).join('\n')
  }
  above.push(...[...rest.values()].flat())
  if (above.length > 0) pair.key.commentBefore = above.map(comment).join('\n')
}

/** Lists of plain values and small blocks go on one line when they fit. */
function flattenLists(service: YAMLMap): void {
  visit(service, {
    Collection(_, node) {
      if (node === service) return
      const isFlat = isSeq(node)
        ? node.items.every((item) => isScalar(item))
        : isMap(node) && node.items.every(({ value }) => isScalar(value))
      if (isFlat && widthOf(node) <= 80) node.flow = true
    },
  })
}

const widthOf = (node: YAMLMap | YAMLSeq): number => {
  const text = JSON.stringify(node.toJSON())
  return /\\[nrtu]/.test(text) ? Number.POSITIVE_INFINITY : text.length
}

function comment(text: string): string {
  const line = oneLine(text)
  return ` ${line.length > longestComment ? `${line.slice(0, longestComment)}…` : line}`
}

const oneLine = (text: string): string => text.replaceAll(/[^\P{C}]/gu, '?').toWellFormed()
