import { linuxCapabilities, linuxSignals } from '../../resolve/linux-names.ts'
import { mostDurationMs } from '../../resolve/quantities.ts'
import { asBlock, type ComposeNode, member, membersOf, textOf, textsOf } from '../compose-node.ts'
import { durationMs, durationText, sizeInBytes, sizeText } from '../quantities.ts'
import { holdsSecret, isSecretVariable } from '../secret-values.ts'
import type { ServiceDraft } from '../service-draft.ts'

const leastMemoryBytes = 4 * 1024 * 1024
const largestId = 4_294_967_294

/** How the process runs and ends: `user`, `capabilities`, `stop`, `labels`. */
export function convertProcess(draft: ServiceDraft): void {
  convertUser(draft)
  convertCapabilities(draft)
  convertStop(draft)
  convertLabels(draft)
}

function convertUser(draft: ServiceDraft): void {
  const node = member(draft.service.block, 'user')
  const user = draft.plain(node, 'user')?.trim()
  if (node === undefined || user === undefined || user === '') return
  const [name = '', group] = user.split(':')
  const isNumber = /^\d{1,10}$/.test(name) && Number(name) <= largestId
  if (isNumber && (group === undefined || (/^\d{1,10}$/.test(group) && Number(group) <= largestId))) {
    draft.manifest['user'] = user
    draft.tell('carried', 'user', node.at, '`user`')
  } else if (isNumber || /^[a-z_][a-z0-9_-]{0,31}$/.test(name)) {
    draft.manifest['user'] = name
    if (group === undefined) draft.tell('carried', 'user', node.at, '`user`')
    else draft.tell('changed', 'user', node.at, `without the group \`${group.slice(0, 40)}\``, 'user')
  } else draft.tell('refused', 'user', node.at, 'it is neither an id nor a name that users have', 'user')
}

function convertCapabilities(draft: ServiceDraft): void {
  const { block } = draft.service
  const added = textsOf(member(block, 'cap_add'))
  const dropsAll = textsOf(member(block, 'cap_drop')).some(({ text }) => /^(?:cap_)?all$/i.test(text))
  const names = new Set<string>()
  for (const { text, at } of added) {
    const bare = text.toUpperCase().replace(/^CAP_/, '')
    if (linuxCapabilities.includes(bare)) {
      names.add(bare)
      draft.tell('carried', 'cap_add', at, '`capabilities`')
    } else if (bare === 'ALL')
      draft.tell('refused', 'cap_add', at, 'name each capability that is needed', 'capabilities')
    else
      draft.mistakes.report(
        at,
        `\`${text.slice(0, 40)}\` is not a Linux capability`,
        'See `man 7 capabilities`.',
      )
  }
  const usual = dropsAll || member(block, 'user') !== undefined ? [] : (draft.hints.capabilities ?? [])
  if (usual.length > 0)
    draft.tell(
      'changed',
      'cap_add',
      draft.service.at,
      `of Docker’s usual capabilities only those that this image needs: ${usual.join(', ')}`,
      'capabilities',
    )
  const all = [...new Set([...names, ...usual])].toSorted()
  if (all.length > 0) draft.manifest['capabilities'] = all
}

function convertStop(draft: ServiceDraft): void {
  const { block } = draft.service
  const stop: Record<string, string> = {}
  const signal = textOf(member(block, 'stop_signal'))
  if (signal !== undefined) {
    const name = signal.text
      .trim()
      .toUpperCase()
      .replace(/^(?!SIG)/, 'SIG')
    if (linuxSignals.includes(name)) {
      stop['signal'] = name
      draft.tell('carried', 'stop_signal', signal.at, '`stop.signal`')
    } else draft.tell('refused', 'stop_signal', signal.at, 'it is not a signal that ends a process', 'stop')
  }
  const grace = textOf(member(block, 'stop_grace_period'))
  const ms = grace === undefined ? null : durationMs(grace.text.trim())
  if (grace !== undefined && (ms === null || ms > mostDurationMs))
    draft.mistakes.report(
      grace.at,
      '`stop_grace_period` is no duration',
      'Write for example `30s` or `1m30s`.',
    )
  else if (grace !== undefined && ms !== null) {
    stop['grace'] = durationText(ms)
    draft.tell('carried', 'stop_grace_period', grace.at, '`stop.grace`')
  }
  if (Object.keys(stop).length > 0) draft.manifest['stop'] = stop
}

function convertLabels(draft: ServiceDraft): void {
  const labels: Record<string, string> = {}
  const { block } = draft.service
  for (const [key, node] of [
    ['labels', member(block, 'labels')],
    ['deploy.labels', member(member(block, 'deploy'), 'labels')],
  ] as const) {
    if (node === undefined) continue
    for (const [name, { key: at, value }] of membersOf(asBlock(node))) {
      const text = value.kind === 'text' ? value.text : ''
      const isSecret = value.kind === 'text' && value.secret !== null
      if (isSecret || isSecretVariable(name, text) || holdsSecret(text))
        draft.tell('refused', `${key}.${name}`, at, 'left out: it looks like a secret', 'labels')
      else if (/^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/.test(name)) labels[name] = text
      else
        draft.tell(
          'refused',
          `${key}.${name.slice(0, 60)}`,
          at,
          'it is not a name that labels have',
          'labels',
        )
    }
    draft.tell('carried', key, node.at, '`labels`')
  }
  if (Object.keys(labels).length > 0) draft.manifest['labels'] = labels
}

/** `replicas` and `limits`, from `deploy` or from the service itself. */
export function convertScale(draft: ServiceDraft): void {
  const mode = textOf(member(member(draft.service.block, 'deploy'), 'mode'))
  if (mode?.text === 'global')
    draft.tell('refused', 'deploy.mode', mode.at, 'there is one instance, not one a machine', 'replicas')
  else if (mode !== undefined && mode.text !== 'replicated')
    draft.mistakes.report(mode.at, '`deploy.mode` is no mode', 'Write `replicated`, or leave it out.')
  convertReplicas(draft)
  const limits = { ...convertMemory(draft), ...convertProcessors(draft), ...convertPids(draft) }
  if (Object.keys(limits).length > 0) draft.manifest['limits'] = limits
}

function convertReplicas(draft: ServiceDraft): void {
  const { block } = draft.service
  const [key, node] = firstOf(
    ['deploy.replicas', member(member(block, 'deploy'), 'replicas')],
    ['scale', member(block, 'scale')],
  )
  if (node === undefined) return
  const count = Number(textOf(node)?.text)
  if (!Number.isInteger(count) || count < 0 || count > 1000)
    draft.mistakes.report(
      node.at,
      `\`${key}\` is no number of instances`,
      'Write a whole number, at most 1000.',
    )
  else if (count > 1 && draft.manifest['stateful'] === true)
    draft.tell(
      'refused',
      key,
      node.at,
      `${count} instances cannot share a volume, which has one writer: there is one`,
      'stateful',
    )
  else {
    if (count > 1) draft.manifest['replicas'] = count
    draft.tell('carried', key, node.at, '`replicas`')
  }
}

type Placed = readonly [string, ComposeNode | undefined]

/** The first that is written. */
const firstOf = (...places: readonly [Placed, ...Placed[]]): Placed =>
  places.find(([, node]) => node !== undefined) ?? places[0]

const limitsOf = (draft: ServiceDraft): ComposeNode | undefined =>
  member(member(member(draft.service.block, 'deploy'), 'resources'), 'limits')

function convertMemory(draft: ServiceDraft): Readonly<Record<string, string | number>> {
  const [key, node] = firstOf(
    ['deploy.resources.limits.memory', member(limitsOf(draft), 'memory')],
    ['mem_limit', member(draft.service.block, 'mem_limit')],
  )
  if (node === undefined) return {}
  const bytes = sizeInBytes(textOf(node)?.text ?? '')
  if (bytes === null) draft.mistakes.report(node.at, `\`${key}\` is no size`, 'Write for example `256m`.')
  // Docker takes 0 for no limit.
  else if (bytes === 0) draft.tell('dropped', key, node.at, 'zero is no limit')
  else if (bytes < leastMemoryBytes)
    draft.tell('refused', key, node.at, 'an instance has at least 4M', 'limits')
  else {
    draft.tell('carried', key, node.at, '`limits.memory`')
    return { memory: sizeText(bytes) }
  }
  return {}
}

function convertProcessors(draft: ServiceDraft): Readonly<Record<string, number>> {
  const { block } = draft.service
  const [key, node] = firstOf(
    ['deploy.resources.limits.cpus', member(limitsOf(draft), 'cpus')],
    ['cpus', member(block, 'cpus')],
    ['cpu_quota', member(block, 'cpu_quota')],
  )
  if (node === undefined) return {}
  const period = Number(textOf(member(block, 'cpu_period'))?.text ?? 100_000)
  const written = Number(textOf(node)?.text)
  const cpus = key === 'cpu_quota' ? Math.round((written / period) * 1000) / 1000 : written
  if (!Number.isFinite(cpus)) {
    draft.mistakes.report(node.at, `\`${key}\` is no number`, 'Write for example `0.5`.')
    return {}
  }
  if (cpus === 0 || (key === 'cpu_quota' && cpus < 0))
    draft.tell('dropped', key, node.at, 'there is no limit')
  else if (cpus < 0.01 || cpus > 1024)
    draft.tell('refused', key, node.at, 'an instance has 0.01 to 1024 processors', 'limits')
  else {
    draft.tell(key === 'cpu_quota' ? 'changed' : 'carried', key, node.at, '`limits.cpus`', 'limits')
    return { cpus }
  }
  return {}
}

function convertPids(draft: ServiceDraft): Readonly<Record<string, number>> {
  const [key, node] = firstOf(
    ['deploy.resources.limits.pids', member(limitsOf(draft), 'pids')],
    ['pids_limit', member(draft.service.block, 'pids_limit')],
  )
  if (node === undefined) return {}
  const pids = Number(textOf(node)?.text)
  if (!Number.isInteger(pids))
    draft.mistakes.report(node.at, `\`${key}\` is no whole number`, 'Write for example `200`.')
  else if (pids < 1 || pids > 4_194_304)
    draft.tell('changed', key, node.at, 'there is always a limit; without one written it is 512', 'limits')
  else {
    draft.tell('carried', key, node.at, '`limits.pids`')
    return { pids }
  }
  return {}
}
