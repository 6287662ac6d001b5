import { type ComposeNode, member, textsOf } from '../compose-node.ts'
import { holdsSecret } from '../secret-values.ts'
import type { ServiceDraft } from '../service-draft.ts'
import { splitWords } from '../split-words.ts'

/** A command as its words; null: absent, empty, or reported. */
export function wordsOf(
  draft: ServiceDraft,
  node: ComposeNode | undefined,
  key: string,
): readonly string[] | null {
  if (node === undefined || node.kind === 'map' || node.kind === 'empty') return null
  const texts = textsOf(node)
  const secret = texts.find((text) => text.secret !== null)
  const line = texts.map(({ text }) => text).join(' ')
  if (secret !== undefined || holdsSecret(line)) {
    draft.tellSecret(key, node.at, secret?.secret ?? null)
    return null
  }
  if (node.kind === 'list') return texts.map(({ text }) => text)
  const words = splitWords(line)
  if (words === null)
    draft.mistakes.report(node.at, `\`${key}\` has a quote that is not closed`, 'Close it, or write a list.')
  return words
}

/** `entrypoint` and `command` to the one list of basalt.yaml, which replaces both of the image's. */
export function convertCommand(draft: ServiceDraft): void {
  const { block } = draft.service
  const [entrypointNode, commandNode] = [member(block, 'entrypoint'), member(block, 'command')]
  for (const { text } of [...textsOf(entrypointNode), ...textsOf(commandNode)])
    draft.mentions.push({ variable: null, text })
  const entrypoint = wordsOf(draft, entrypointNode, 'entrypoint')
  const command = wordsOf(draft, commandNode, 'command')
  const node = commandNode ?? entrypointNode
  // Without its other half, which was refused, a command would be another one.
  if (node === undefined || (entrypointNode !== undefined && entrypoint === null)) return
  if (commandNode !== undefined && command === null) return
  if (entrypoint !== null && entrypoint.length > 0) {
    setCommand(draft, [...entrypoint, ...(command ?? [])], node)
    if (entrypointNode !== undefined && commandNode !== undefined)
      draft.tell('carried', 'entrypoint', entrypointNode.at, '`command`')
    if (commandNode !== undefined)
      draft.tell('carried', 'command', commandNode.at, '`command`, behind the entrypoint')
    if (commandNode === undefined && entrypointNode !== undefined)
      draft.tell(
        'changed',
        'entrypoint',
        entrypointNode.at,
        'the image’s own arguments (CMD) are replaced too',
        'command',
      )
    return
  }
  if (command === null || command.length === 0) {
    draft.tell(
      'dropped',
      commandNode === undefined ? 'entrypoint' : 'command',
      node.at,
      'it is empty: what the image says counts',
    )
    return
  }
  if (entrypointNode !== undefined || draft.hints.entrypoint === null) {
    setCommand(draft, command, node)
    draft.tell('carried', 'command', node.at, '`command`')
    return
  }
  const known = draft.hints.entrypoint
  setCommand(draft, [...(known ?? []), ...command], node)
  draft.tell(
    'changed',
    'command',
    node.at,
    known === undefined
      ? 'it replaces the image’s ENTRYPOINT too: put that in front, if the image has one'
      : `with the image’s entrypoint \`${known.join(' ')}\` in front: \`command\` replaces both`,
    'command',
  )
}

function setCommand(draft: ServiceDraft, words: readonly string[], node: ComposeNode): void {
  if (words[0] === '') draft.mistakes.report(node.at, 'the program has no name', 'Begin with a program.')
  else draft.manifest['command'] = words
}
