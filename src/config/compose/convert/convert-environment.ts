import { resolve } from 'node:path'
import {
  asBlock,
  type ComposeNode,
  type ComposePlace,
  isTrue,
  member,
  membersOf,
  textOf,
} from '../compose-node.ts'
import { type Dotenv, parseDotenv, parseRawEnvironment } from '../load/parse-dotenv.ts'
import { holdsSecret, isSecretVariable } from '../secret-values.ts'
import type { ServiceDraft } from '../service-draft.ts'

interface Variable {
  readonly value: string
  readonly at: ComposePlace
  readonly secret: string | null
  readonly key: string
}

/** `environment` over `env_file`, without secrets. */
export async function convertEnvironment(draft: ServiceDraft): Promise<void> {
  const variables = new Map<string, Variable>()
  for (const file of envFilesOf(member(draft.service.block, 'env_file')))
    for (const [name, variable] of await readEnvFile(draft, file)) variables.set(name, variable)
  const written = member(draft.service.block, 'environment')
  for (const [name, { key: at, value }] of membersOf(written === undefined ? undefined : asBlock(written))) {
    const text = value.kind === 'text' ? value.text : draft.service.lookup(name)
    const secret = value.kind === 'text' ? value.secret : null
    if (text !== undefined) variables.set(name, { value: text, at, secret, key: 'environment' })
    else if (!variables.has(name))
      draft.tell('dropped', `environment.${name}`, at, 'it is not set here, and so not in Compose either')
  }
  const env: Record<string, string> = {}
  for (const [name, variable] of variables) {
    draft.mentions.push({ variable: name, text: variable.value })
    if (isFit(draft, name, variable)) env[name] = variable.value
  }
  const count = Object.keys(env).length
  if (count === 0) return
  draft.manifest['env'] = env
  const isRead = [...variables].some(([name, { key }]) => key === 'env_file' && name in env)
  if (written !== undefined) draft.tell('carried', 'environment', written.at, '`env`')
  const files = member(draft.service.block, 'env_file')
  if (isRead && files !== undefined)
    draft.tell('changed', 'env_file', files.at, 'read once: its variables stand in `env` now', 'env')
}

/** Reports why a variable cannot stand in basalt.yaml. */
function isFit(draft: ServiceDraft, name: string, { value, at, secret, key }: Variable): boolean {
  const told = `${key}.${name}`
  if (secret !== null || isSecretVariable(name, value) || holdsSecret(value)) {
    draft.tell(
      'refused',
      told,
      at,
      'left out: it looks like a secret, which is never written into basalt.yaml',
      'env',
    )
    return false
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    draft.tell('refused', told, at, 'a variable has only letters, digits and `_` in its name', 'env')
    return false
  }
  if (value.isWellFormed() && !value.includes('\0')) return true
  draft.tell('refused', told, at, 'its value holds NUL or half a character', 'env')
  return false
}

interface EnvFile {
  readonly path: string
  readonly at: ComposePlace
  readonly isRequired: boolean
  readonly isRaw: boolean
}

function envFilesOf(node: ComposeNode | undefined): readonly EnvFile[] {
  const items = node === undefined ? [] : node.kind === 'list' ? node.items : [node]
  return items.flatMap((item): readonly EnvFile[] => {
    const path = textOf(item.kind === 'map' ? member(item, 'path') : item)
    if (path === undefined) return []
    const required = member(item, 'required')
    return [
      {
        path: path.text,
        at: path.at,
        isRequired: required === undefined || isTrue(required),
        isRaw: textOf(member(item, 'format'))?.text === 'raw',
      },
    ]
  })
}

async function readEnvFile(
  draft: ServiceDraft,
  file: EnvFile,
): Promise<readonly (readonly [string, Variable])[]> {
  const read = await draft.source.files.read(resolve(file.at.folder, file.path))
  if (!read.ok) {
    if (file.isRequired || !read.isAbsent)
      draft.mistakes.report(
        file.at,
        `${file.path} ${read.fact}`,
        'Make it a file of `NAME=value` lines, or write `{ path: …, required: false }`.',
      )
    else draft.tell('dropped', 'env_file', file.at, 'the file is not there, which is allowed')
    return []
  }
  const { lookup } = draft.service
  const parsed: Dotenv = file.isRaw ? parseRawEnvironment(read.text) : parseDotenv(read.text, lookup)
  for (const { line, fact, remedy } of parsed.faults)
    draft.mistakes.report({ file: file.path, line, column: 1 }, fact, remedy)
  return parsed.variables.flatMap(({ name, value, line, used }): readonly (readonly [string, Variable])[] => {
    const text = value ?? lookup(name)
    if (text === undefined) return []
    const at = { ...file.at, file: file.path, line, column: 1 }
    const secret = used.find((variable) => isSecretVariable(variable, lookup(variable) ?? 'written')) ?? null
    return [[name, { value: text, at, secret, key: 'env_file' }]]
  })
}
