import { relative, resolve } from 'node:path'
import { dockerfileHints } from '../../dockerfile-hints.ts'
import { asBlock, type ComposeMap, member, membersOf, textOf } from '../compose-node.ts'
import { type KnownImage, knownImage } from '../known-images.ts'
import type { ComposeFiles } from '../load/compose-files.ts'
import type { LoadedService } from '../load/load-project.ts'
import { holdsSecret, isSecretVariable } from '../secret-values.ts'
import type { ImageHints, ServiceDraft } from '../service-draft.ts'

const noHints: ImageHints = { ports: [] }

/** The grammar of distribution/reference, as far as an image needs a name and at most a tag and a digest. */
const referencePattern =
  /^(?:(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d{1,5})?|\[[a-fA-F0-9:]+\](?::\d{1,5})?)\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/

/** Why a build cannot be carried; null: it can. `root` is the folder of basalt.yaml. */
function buildObstacle(service: LoadedService, root: string): string | null {
  const build = member(service.block, 'build')
  if (build === undefined) return null
  if (member(build, 'dockerfile_inline') !== undefined)
    return 'its Dockerfile is written inline: write it to a file'
  const context = contextOf(service, root)
  if (context === null) return 'its build context is not a folder on this machine'
  if (context.startsWith('..') || context.startsWith('/'))
    return `its build context lies outside the folder of basalt.yaml`
  if (/[\u0000-\u001f\u007f]/.test(context)) return 'the name of its build context has control characters'
  const dockerfile = textOf(member(build, 'dockerfile'))?.text ?? ''
  if (/^\/|(?:^|\/)\.\.(?:\/|$)|[\u0000-\u001f\u007f]/.test(dockerfile))
    return 'its Dockerfile lies outside its build context'
  return null
}

function contextOf(service: LoadedService, root: string): string | null {
  const build = member(service.block, 'build')
  const node = textOf(build?.kind === 'map' ? member(build, 'context') : build)
  const written = node?.text ?? '.'
  if (/^(?:[a-z][a-z0-9+.-]*:\/\/|git@|github\.com\/|service:|docker-image:)/i.test(written)) return null
  const folder = node?.at.folder ?? service.at.folder
  const near = relative(root, resolve(folder, written))
  return near === '' ? '.' : near
}

/** Why a service cannot have an image; null: it can. */
export function sourceObstacle(service: LoadedService, root: string): string | null {
  const image = textOf(member(service.block, 'image'))
  const obstacle = buildObstacle(service, root)
  if (member(service.block, 'build') !== undefined && obstacle === null) return null
  if (image !== undefined) {
    if (image.secret !== null || holdsSecret(image.text)) return 'the name of its image holds a secret'
    return isReference(image.text) ? null : `\`${image.text.slice(0, 80)}\` is no name of an image`
  }
  return obstacle ?? 'it has neither `build` nor `image`'
}

const isReference = (text: string): boolean =>
  (text.length <= 400 && referencePattern.test(text)) || /^sha256:[a-f0-9]{64}$/.test(text)

/** What is known of the image that a service will have. */
export async function imageHints(
  service: LoadedService,
  root: string,
  files: ComposeFiles,
): Promise<ImageHints> {
  const build = member(service.block, 'build')
  if (build !== undefined && buildObstacle(service, root) === null) {
    const file = textOf(member(build, 'dockerfile'))?.text ?? 'Dockerfile'
    const read = await files.read(resolve(root, contextOf(service, root) ?? '.', file))
    if (!read.ok) return noHints
    const hints = dockerfileHints(read.text, textOf(member(build, 'target'))?.text ?? null)
    return {
      ports: hints.ports.map((port) => ({ port, isHttp: null })),
      ...(hints.entrypoint !== undefined && { entrypoint: hints.entrypoint }),
    }
  }
  const known = knownImage(textOf(member(service.block, 'image'))?.text ?? '')
  if (known === undefined) return noHints
  const { port, isHttp, entrypoint, writable, capabilities } = known
  const image: KnownImage = {
    ...(entrypoint !== undefined && { entrypoint }),
    ...(writable !== undefined && { writable }),
    ...(capabilities !== undefined && { capabilities }),
  }
  return { ...image, ports: port === undefined ? [] : [{ port, isHttp: isHttp ?? false }] }
}

/** `build` or `image`; that one of them can be had is sure already. */
export function convertImage(draft: ServiceDraft, root: string): void {
  const { service, manifest } = draft
  const image = textOf(member(service.block, 'image'))
  const build = member(service.block, 'build')
  const obstacle = buildObstacle(service, root)
  if (build !== undefined && obstacle === null) {
    manifest['build'] = convertBuild(draft, root)
    draft.tell('carried', 'build', build.at, '`build`')
    if (image !== undefined)
      draft.tell('dropped', 'image', image.at, 'a built image is named by its digest; `build` counts')
    return
  }
  if (build !== undefined && obstacle !== null) draft.tell('refused', 'build', build.at, obstacle, 'image')
  if (image === undefined) return
  manifest['image'] = image.text
  const hasVersion = /(?::[^/]+|@sha256:[a-f0-9]{64})$/.test(image.text)
  if (hasVersion && !image.text.endsWith(':latest'))
    draft.tell('carried', 'image', image.at, '`image`, resolved to a digest when a release is made')
  else
    draft.tell(
      'changed',
      'image',
      image.at,
      'no version is named: what `latest` means is pinned when a release is made; name a version',
      'image',
    )
}

function convertBuild(draft: ServiceDraft, root: string): unknown {
  const build = member(draft.service.block, 'build')
  const context = contextOf(draft.service, root) ?? '.'
  const path = context === '.' ? '.' : `./${context}`
  if (build?.kind !== 'map') return path
  const dockerfile = draft.plain(member(build, 'dockerfile'), 'build.dockerfile')
  const target = convertTarget(draft, build)
  const args = convertArgs(draft, build)
  const secrets = convertBuildSecrets(draft, build, root)
  const block = {
    context: path,
    ...(dockerfile !== null && dockerfile !== '' && { dockerfile }),
    ...(target !== null && { target }),
    ...(Object.keys(args).length > 0 && { args }),
    ...(Object.keys(secrets).length > 0 && { secrets }),
  }
  return Object.keys(block).length === 1 ? path : block
}

function convertTarget(draft: ServiceDraft, build: ComposeMap): string | null {
  const node = member(build, 'target')
  const target = draft.plain(node, 'build.target')
  if (node === undefined || target === null || target === '') return null
  if (/^[A-Za-z0-9][\w.-]*$/.test(target)) return target
  draft.tell('refused', 'build.target', node.at, 'it is not a name that stages have', 'build')
  return null
}

/** Files by id. Only their names are carried: no secret is read. */
function convertBuildSecrets(
  draft: ServiceDraft,
  build: ComposeMap,
  root: string,
): Readonly<Record<string, string>> {
  const secrets: Record<string, string> = {}
  const list = member(build, 'secrets')
  for (const item of list?.kind === 'list' ? list.items : []) {
    const name = textOf(item.kind === 'map' ? member(item, 'source') : item)
    const source = name?.text ?? ''
    const target = textOf(member(item, 'target'))
    const id = target?.text ?? source
    const isPlain = (name?.secret ?? target?.secret ?? null) === null && /^[\w.-]+$/.test(id)
    const file = textOf(member(member(draft.declaredSecrets, source), 'file'))
    const path = file === undefined ? '' : relative(root, resolve(file.at.folder, file.text))
    const isInside = path !== '' && !/^(?:\/|\.\.(?:\/|$))|[\u0000-\u001f\u007f]/.test(path)
    if (isInside && isPlain && file?.secret === null) {
      secrets[id] = path
      draft.tell(
        'changed',
        'build.secrets',
        item.at,
        `\`${id}\` is the file ${path}, read when it is built`,
        'build',
      )
    } else
      draft.tell(
        'refused',
        'build.secrets',
        item.at,
        'it is not a file inside the folder of basalt.yaml',
        'build',
      )
  }
  return secrets
}

function convertArgs(draft: ServiceDraft, build: ComposeMap): Readonly<Record<string, string>> {
  const args: Record<string, string> = {}
  const written = member(build, 'args')
  for (const [name, { key: at, value }] of membersOf(written === undefined ? undefined : asBlock(written))) {
    const text = value.kind === 'text' ? value.text : draft.service.lookup(name)
    const key = `build.args.${name}`
    if (text === undefined) draft.tell('dropped', key, at, 'it has no value; the Dockerfile’s default counts')
    else if (
      isSecretVariable(name, text) ||
      (value.kind === 'text' && value.secret !== null) ||
      holdsSecret(text)
    )
      draft.tell(
        'refused',
        key,
        at,
        'it looks like a secret, which would stay in the image’s history',
        'build',
      )
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) args[name] = text
    else draft.tell('refused', key, at, 'it is not a name that `ARG` takes', 'build')
  }
  return args
}
