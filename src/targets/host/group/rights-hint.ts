import { posix } from 'node:path'

/**
 * What to declare so that a service may do what the system refused it, judged by the last lines that it wrote; null: no
 * line tells of a refusal. One sentence for each kind of refusal, on a line of its own.
 */
export function rightsHint(service: string, lines: readonly string[]): string | null {
  const told = lines.map((line) => line.replaceAll(ansiColours, ''))
  const hints = [writableHint(service, told), capabilityHint(service, told), ownerHint(service, told)]
  const given = hints.filter((hint) => hint !== null)
  return given.length === 0 ? null : [...given, howToBegin].join('\n')
}

const ansiColours = /\u001b\[[\d;]*m/g
/** Not the year of `2026/11/25 14:20:01 open /var/log/app.log`, nor the host of a URL. */
const absolutePath = /(?<![\w./:-])\/(?!\/)[\w.@%+~/-]*[\w@%+~-]/g

/** As C, Node.js and Go name EROFS. */
const readOnly = /read-only file ?system|\bEROFS\b/i

function writableHint(service: string, lines: readonly string[]): string | null {
  const refused = lines.filter((line) => readOnly.test(line))
  if (refused.length === 0) return null
  const folders = unique(refused.map((line) => folderOf(line, pathIn(line, readOnly))))
  const [wanted] = folders
  if (wanted === undefined)
    return `The root of an instance is read-only: declare the folders that ${service} writes to as \`writable: [/folder]\` in basalt.yaml; what must be kept, in \`volumes\`.`
  return `The root of an instance is read-only: declare \`writable: [${folders.join(', ')}]\` for ${service} in basalt.yaml, which is empty at each start (what must be kept: \`volumes\`).`
}

/** The folders in which programs make more than what they tell of first. */
const stateFolders = /^\/(?:var|run|tmp|data|logs?|cache)\//

/** What has to be writable; null: unknown, or the root itself, which never is. */
function folderOf(line: string, path: string | null): string | null {
  if (path === null || path === '/') return null
  const parent = posix.dirname(path)
  // Of a folder among the files of an app, its parent is what the image has there, and would be hidden.
  const isFolder = /\bmkdir|directory|makedirs/i.test(line.replaceAll(path, ''))
  if (isFolder && !(stateFolders.test(path) && parent.split('/').length > 2)) return path
  return parent === '/' ? null : parent
}

/** The path that a refusal is about: `refusal: '/path'` (Python), `refusal, open '/path'` (Node.js), else one before it. */
function pathIn(line: string, refusal: RegExp): string | null {
  // `EROFS: read-only file system, open '/path'` names it twice.
  const said = [...line.matchAll(new RegExp(refusal, 'gi'))].at(-1)
  const at = said?.index ?? 0
  const rest = line.slice(at + (said?.[0].length ?? 0))
  const after = /^(?::\s*|,\s*\w+\s+|\s*@ \w+ - )["']?(\/[^"'\s:)]+)/.exec(rest)?.[1]
  const found = after ?? line.slice(0, at).match(absolutePath)?.at(-1) ?? null
  return found === null ? null : posix.normalize(found).replace(/(?<=.)\/$/, '')
}

const notPermitted = /operation not permitted|\bEPERM\b|PermissionError: \[Errno 1\]/i
const capabilities: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /set_?(?:res|re|e|fs)?[ug]id|setgroups|initgroups|su-exec|gosu|setpriv|switching to|switch (?:user|group)/i,
    ['SETGID', 'SETUID'],
  ],
  [/chown/i, ['CHOWN']],
  [/chmod/i, ['FOWNER']],
  [/chroot/i, ['SYS_CHROOT']],
  [/mlock/i, ['IPC_LOCK']],
  [/setpriority|\bnice\b|sched_set/i, ['SYS_NICE']],
  [/raw socket|SOCK_RAW/i, ['NET_RAW']],
]

function capabilityHint(service: string, lines: readonly string[]): string | null {
  const refused = lines.filter((line) => notPermitted.test(line))
  if (refused.length === 0) return null
  const wanted = unique(
    refused.flatMap((line) =>
      capabilities.filter(([pattern]) => pattern.test(line)).flatMap(([, names]) => names),
    ),
  )
  if (wanted.length === 0)
    return `An instance has no capabilities: declare those that ${service} needs, such as \`capabilities: [CHOWN]\`, in basalt.yaml.`
  const isSwitch = wanted.includes('SETUID')
  const instead = isSwitch ? ', or let it begin as the user that it changes to, by `user:`' : ''
  return `An instance has no capabilities: declare \`capabilities: [${wanted.join(', ')}]\` for ${service} in basalt.yaml${instead}.`
}

/** As C, Node.js and Go name EACCES. */
const denied = /\bpermission denied\b|\bEACCES\b/i
const shellCannotRun = /^(?:\S*sh|exec|env): (?:line )?(?:\d+: )?(?:exec: )?(\/?[\w./-]+): Permission denied$/

function ownerHint(service: string, lines: readonly string[]): string | null {
  for (const line of lines.filter((text) => denied.test(text))) {
    const program = shellCannotRun.exec(line)?.[1]
    if (program !== undefined)
      return `The image has ${program}, but not as an executable file: \`RUN chmod +x ${program}\` in its Dockerfile.`
    const path = pathIn(line, denied)
    if (path !== null)
      return `${path} is another user's: let ${service} run as its owner by \`user:\` in basalt.yaml; or declare \`capabilities: [DAC_OVERRIDE]\`, without which permissions bind root too.`
  }
  return null
}

/** A Dockerfile alone has no place for it. */
const howToBegin = 'Where there is no basalt.yaml yet, `basalt init` writes one.'

const unique = <Item>(items: readonly (Item | null)[]): readonly Item[] => [
  ...new Set(items.filter((item) => item !== null)),
]
