import { isWithin } from '../../../core/container-path.ts'
import { mostDurationMs } from '../../resolve/quantities.ts'
import { type ComposeNode, isTrue, member, textOf, textsOf } from '../compose-node.ts'
import { durationMs, durationText } from '../quantities.ts'
import type { ServiceDraft } from '../service-draft.ts'
import { splitWords } from '../split-words.ts'
import { wordsOf } from './convert-command.ts'
import { addPort, looksLikeHttp, portsOf } from './convert-ports.ts'

/** Compose's own defaults, which count where only a part is written. */
const composeDefaults = { intervalMs: 30_000, retries: 3 }
/** What basalt.yaml means without `start`. */
const usualStartMs = 30_000

/** `healthcheck` to `health`. After the ports, because a check may add one. */
export function convertHealth(draft: ServiceDraft): void {
  const block = member(draft.service.block, 'healthcheck')
  const test = member(block, 'test')
  const isOff = isTrue(member(block, 'disable')) || textsOf(test)[0]?.text === 'NONE'
  if (block !== undefined && isOff) {
    draft.manifest['health'] = 'running'
    draft.tell('changed', 'healthcheck', block.at, 'no check: healthy as long as it runs', 'health')
    return
  }
  const way = test === undefined ? null : convertTest(draft, test)
  const timing = block === undefined ? {} : convertTiming(draft, block)
  if (way !== null) {
    draft.manifest['health'] = { ...way, ...timing }
    return
  }
  const [first] = portsOf(draft)
  const fact =
    first === undefined
      ? 'there is none, and no port: healthy as long as it runs'
      : `there is none: healthy when port ${first.port} accepts connections`
  const better = first?.isHttp === true ? '; a path that answers 200 says more' : ''
  draft.manifest['health'] = first === undefined ? 'running' : { tcp: first.port, ...timing }
  draft.tell('changed', 'healthcheck', block?.at ?? draft.service.at, `${fact}${better}`, 'health')
}

type Way = Readonly<Record<string, unknown>>

function convertTest(draft: ServiceDraft, test: ComposeNode): Way | null {
  const key = 'healthcheck.test'
  const listed = test.kind === 'list' ? wordsOf(draft, test, key) : null
  if (test.kind === 'list' && listed === null) return null
  const [form, ...rest] = listed ?? ['CMD-SHELL', draft.plain(test, key) ?? '']
  if (form !== 'CMD' && form !== 'CMD-SHELL') {
    draft.mistakes.report(
      test.at,
      'a check begins with `NONE`, `CMD` or `CMD-SHELL`',
      'Write for example `["CMD", "curl", "-f", "http://localhost/up"]`, or one text for the shell.',
    )
    return null
  }
  const line = rest.join(' ').trim()
  if (line === '' || (form === 'CMD' && rest[0] === '')) return null
  const words = form === 'CMD' ? rest : simpleWords(line)
  const http = words === null ? null : httpCheck(words)
  if (http !== null) {
    addPort(
      draft,
      { port: http.port, isHttp: looksLikeHttp(draft, http.port) },
      test.at,
      'which the health check asks',
    )
    draft.tell(
      'changed',
      key,
      test.at,
      `asked from outside: GET ${http.http} at port ${http.port} must answer 200`,
      'health',
    )
    return http
  }
  const program = words?.[0] ?? line
  const mount = [...draft.refusedMounts].find((path) => isWithin(program, path))
  if (mount !== undefined) {
    draft.tell('refused', key, test.at, `its program was in what was mounted at ${mount}`, 'health')
    return null
  }
  if (words !== null) {
    draft.tell('carried', key, test.at, '`health.command`')
    return { command: words }
  }
  draft.tell('changed', key, test.at, 'with `sh` of the image, because it uses the shell', 'health')
  return { command: ['sh', '-c', line] }
}

/** A line for the shell as words, when it needs none; `|| exit 1` says what counts anyway. */
function simpleWords(line: string): readonly string[] | null {
  const last = line.lastIndexOf('||')
  const isBackstop = last !== -1 && /^(?:exit 1|false);?$/.test(line.slice(last + 2).trim())
  const bare = isBackstop ? line.slice(0, last).trim() : line
  return /[$`|&;<>*?(){}\n~!]/.test(bare) || /^\s*[A-Za-z_]\w*=/.test(bare) ? null : splitWords(bare)
}

interface HttpCheck extends Way {
  readonly http: string
  readonly port: number
}

/** `curl` or `wget` with nothing but an address of the instance itself. */
function httpCheck(words: readonly string[]): HttpCheck | null {
  const [program = '', ...rest] = words
  if (!/^(?:.*\/)?(?:curl|wget)$/.test(program)) return null
  const addresses = rest.filter((word) => /^(?:https?:\/\/|localhost|127\.)/.test(word))
  const others = rest.filter((word) => !addresses.includes(word))
  const usual =
    /^(?:-[fsSLqO-]+|-(?:nv|qO-|O-|O)|--fail|--silent|--show-error|--spider|--quiet|--location|--no-verbose|--tries=\d+|--timeout=\d+|-|\/dev\/null|-o|\d+|--max-time|--output|-T|-m)$/
  const [address] = addresses
  if (addresses.length !== 1 || address === undefined || !others.every((word) => usual.test(word)))
    return null
  const parts =
    /^(?:http:\/\/)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d{1,5}))?(\/[^\s#]*)?$/.exec(address)
  const port = Number(parts?.[1] ?? 80)
  if (parts === null || port < 1 || port > 65_535) return null
  return { http: parts[2] ?? '/', port }
}

function convertTiming(draft: ServiceDraft, block: ComposeNode): Way {
  const read = (name: string): number | null => {
    const node = textOf(member(block, name))
    if (node === undefined) return null
    const ms = durationMs(node.text.trim())
    if (ms === null || ms > mostDurationMs)
      draft.mistakes.report(
        node.at,
        `\`healthcheck.${name}\` is no duration`,
        'Write for example `30s` or `1m30s`.',
      )
    return ms === null || ms > mostDurationMs || ms === 0 ? null : ms
  }
  const [interval, timeout, startPeriod] = [read('interval'), read('timeout'), read('start_period')]
  read('start_interval')
  const retries = readRetries(draft, block)
  const startMs =
    (startPeriod ?? 0) + (interval ?? composeDefaults.intervalMs) * (retries ?? composeDefaults.retries)
  if (startPeriod !== null)
    draft.tell(
      'changed',
      'healthcheck.start_period',
      block.at,
      '`start`: the period and all retries behind it; then the deployment fails',
      'health',
    )
  return {
    ...(interval !== null && { interval: durationText(interval) }),
    ...(timeout !== null && { timeout: durationText(timeout) }),
    ...(startMs > usualStartMs && { start: durationText(Math.min(startMs, mostDurationMs)) }),
    ...(retries !== null && { retries }),
  }
}

function readRetries(draft: ServiceDraft, block: ComposeNode): number | null {
  const node = textOf(member(block, 'retries'))
  if (node === undefined) return null
  const retries = Number(node.text)
  if (!/^\d+$/.test(node.text)) {
    draft.mistakes.report(node.at, '`healthcheck.retries` is no whole number', 'Write for example `3`.')
    return null
  }
  if (retries > 100) draft.tell('changed', 'healthcheck.retries', node.at, 'at most 100', 'health')
  // Docker takes 0 for its default.
  return retries === 0 ? null : Math.min(retries, 100)
}
