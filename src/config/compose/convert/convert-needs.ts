import {
  asBlock,
  type ComposePlace,
  isTrue,
  member,
  membersOf,
  suggestion,
  textOf,
  textsOf,
} from '../compose-node.ts'
import type { ServiceDraft } from '../service-draft.ts'
import { addPort, looksLikeHttp, portsOf } from './convert-ports.ts'

/** The services that become part of basalt.yaml, by their names in Compose, and why others do not. */
export interface Siblings {
  readonly drafts: ReadonlyMap<string, ServiceDraft>
  readonly leftOut: ReadonlyMap<string, string>
}

/** `depends_on` and `links`, and what the variables and arguments say, to `needs`. */
export function convertNeeds(draft: ServiceDraft, siblings: Siblings): void {
  const needs = new Set<string>()
  const { block } = draft.service
  const written = member(block, 'depends_on')
  const dependencies = written === undefined ? undefined : asBlock(written)
  for (const [name, { key: at, value }] of membersOf(dependencies)) {
    const required = member(value, 'required')
    const isOptional = required !== undefined && !isTrue(required)
    const condition = textOf(member(value, 'condition'))
    if (condition !== undefined && !conditions.includes(condition.text))
      draft.mistakes.report(
        condition.at,
        `\`${condition.text.slice(0, 60)}\` is no condition`,
        suggestion(
          condition.text,
          conditions,
          `Known are ${conditions.map((known) => `\`${known}\``).join(', ')}.`,
        ),
      )
    need(draft, { name, at, key: 'depends_on', isOptional }, siblings, needs)
  }
  for (const { text, at } of textsOf(member(block, 'links'))) {
    const [name = '', alias] = text.split(':')
    need(draft, { name, at, key: 'links', isOptional: false }, siblings, needs)
    if (alias !== undefined && alias !== name)
      draft.tell(
        'refused',
        'links',
        at,
        `\`${name}\` has no other name than its own, not \`${alias}\``,
        'needs',
      )
  }
  if (needs.size > 0) draft.manifest['needs'] = [...needs]
}

/**
 * In Compose every service reaches every other; here only those that it needs. So a sibling whose name stands in a
 * variable or argument is needed, unless that would close a circle, whose members are replaced together. After
 * `convertNeeds` of all services.
 */
export function addMentioned(draft: ServiceDraft, siblings: Siblings): void {
  for (const [name, other] of siblingsOf(draft, siblings)) {
    const needs = needsOf(draft)
    if (needs.includes(other.name) || !isMentioned(name, draft)) continue
    const isCircle = reaches(other, draft, siblings)
    if (!isCircle) draft.manifest['needs'] = [...needs, other.name]
    const why = 'its name stands in a variable or argument, and only needed services are reached'
    draft.tell(
      'changed',
      'depends_on',
      draft.service.at,
      isCircle
        ? `\`${other.name}\` is not added, although it is named, because it needs this one: both would be replaced together`
        : `\`${other.name}\` is added: ${why}`,
      'needs',
    )
  }
}

const needsOf = ({ manifest }: ServiceDraft): readonly string[] =>
  (manifest['needs'] ?? []) as readonly string[]

/** True when `from` needs `to`, directly or through others. */
function reaches(from: ServiceDraft, to: ServiceDraft, { drafts }: Siblings): boolean {
  const byName = new Map([...drafts.values()].map((draft) => [draft.name, draft]))
  const seen = new Set<string>()
  const open = [from]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === to) return true
    for (const name of needsOf(next)) {
      const needed = byName.get(name)
      if (needed !== undefined && !seen.has(name)) open.push(needed)
      seen.add(name)
    }
  }
  return false
}

const conditions = ['service_started', 'service_healthy', 'service_completed_successfully']

interface Need {
  readonly name: string
  readonly at: ComposePlace
  readonly key: string
  readonly isOptional: boolean
}

function need(
  draft: ServiceDraft,
  { name, at, key, isOptional }: Need,
  siblings: Siblings,
  needs: Set<string>,
): void {
  const other = siblings.drafts.get(name)
  const reason = siblings.leftOut.get(name)
  if (other === draft) draft.mistakes.report(at, `\`${name}\` depends on itself`, 'Remove it.')
  else if (other !== undefined) {
    needs.add(other.name)
    draft.tell('carried', key, at, `needs \`${other.name}\``)
  } else if (reason !== undefined)
    draft.tell(
      isOptional ? 'dropped' : 'changed',
      key,
      at,
      `not \`${name}\`, which is left out: ${reason}`,
      'needs',
    )
  else if (isOptional) draft.tell('dropped', key, at, `there is no \`${name}\`, which is allowed`)
  else {
    const known = [...siblings.drafts.keys(), ...siblings.leftOut.keys()]
    draft.mistakes.report(
      at,
      `there is no service \`${name.slice(0, 60)}\``,
      suggestion(name, known, 'Name one that is there.'),
    )
  }
}

const siblingsOf = (
  draft: ServiceDraft,
  { drafts }: Siblings,
): readonly (readonly [string, ServiceDraft])[] => [...drafts].filter(([, other]) => other !== draft)

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\-]/g, String.raw`\$&`)

/** A longer text is no address. */
const longestMention = 4096

/** Variables whose whole value may be a host. */
const hostVariable = /HOST|SERVER|ADDR|URL|URI|ENDPOINT|UPSTREAM|BACKEND|BROKER|PEER|NODE|TARGET|PROXY/i

function isMentioned(name: string, draft: ServiceDraft): boolean {
  const pattern = mentionPattern(name)
  return draft.mentions.some(
    ({ variable, text }) =>
      (text.length <= longestMention && pattern.test(text)) ||
      (text.trim() === name && variable !== null && hostVariable.test(variable)),
  )
}

/** The name as a host: before a port, or in an address. */
const mentionPattern = (name: string): RegExp =>
  new RegExp(
    String.raw`(?:^|[\s,;=])${escaped(name)}:\d|(?:://(?:[^\s/@]*@)?|@(?:tcp\()?)${escaped(name)}(?![\w.-])`,
  )

/** Ports that only those who connect know: `redis://cache:6379` in a sibling, EXPOSE, or a known image. */
export function findPorts(draft: ServiceDraft, siblings: Siblings): void {
  if (portsOf(draft).length > 0) return
  const { name, at } = draft.service
  for (const [other, sibling] of siblingsOf(draft, siblings))
    for (const { text } of sibling.mentions)
      for (const [, digits] of (text.length > longestMention ? '' : text).matchAll(
        new RegExp(String.raw`(?:^|[\s,;=/@(])${escaped(name)}:(\d{1,5})(?!\d)`, 'g'),
      )) {
        const port = Number(digits)
        if (port < 1 || port > 65_535) continue
        const isHttp = new RegExp(String.raw`https?://(?:[^\s/@]*@)?${escaped(name)}:${port}`).test(text)
        addPort(
          draft,
          { port, isHttp: isHttp || (looksLikeHttp(draft, port) && !text.includes('://')) },
          at,
          `as \`${other}\` asks it there`,
        )
      }
  if (portsOf(draft).length > 0) return
  // With another program the image's ports say little; arguments for its own entrypoint change nothing.
  const { block } = draft.service
  const isBuilt = draft.manifest['build'] !== undefined
  if (member(block, 'entrypoint') !== undefined || (isBuilt && member(block, 'command') !== undefined)) return
  for (const { port, isHttp } of draft.hints.ports)
    addPort(draft, { port, isHttp: isHttp ?? looksLikeHttp(draft, port) }, at, 'as its image says')
}

/** A row for each service that others need without a port that they could ask. */
export function tellUnknownPorts(drafts: readonly ServiceDraft[]): void {
  for (const draft of drafts) {
    const needing = drafts
      .filter((other) => needsOf(other).includes(draft.name))
      .map(({ name }) => `\`${name}\``)
    if (needing.length > 0 && portsOf(draft).length === 0)
      draft.tell(
        'changed',
        'ports',
        draft.service.at,
        `needed by ${needing.slice(0, 5).join(', ')}, but no port is known: add \`port\`, so that they reach it`,
      )
  }
}
