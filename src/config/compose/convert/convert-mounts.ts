import { belongsToRuntime, isWithin } from '../../../core/container-path.ts'
import { type ComposeNode, type ComposePlace, isTrue, member, textOf, textsOf } from '../compose-node.ts'
import { sizeInBytes, sizeText } from '../quantities.ts'
import type { ServiceDraft } from '../service-draft.ts'
import { isDataPath, type Mount, parseMount } from './parse-mount.ts'
import type { VolumeOwners } from './volume-owners.ts'

interface Writable {
  readonly path: string
  readonly size?: string | number
}

const leastBytes = 4096

/** `volumes`, `tmpfs` and `shm_size` to `volumes`, `stateful` and `writable`. */
export function convertMounts(draft: ServiceDraft, owners: VolumeOwners): void {
  const places = new Places(draft)
  const list = member(draft.service.block, 'volumes')
  const mounts = (list?.kind === 'list' ? list.items : []).flatMap((item) => parseMount(item, draft.mistakes))
  // Bind mounts first: what lies in a refused one was there to shield a folder from it.
  for (const mount of mounts) if (mount.kind === 'bind') convertBind(draft, mount, places, owners)
  for (const mount of mounts) if (mount.kind !== 'bind') convertMount(draft, mount, places, owners)
  for (const text of textsOf(member(draft.service.block, 'tmpfs'))) convertTmpfs(draft, text, places)
  const shm = textOf(member(draft.service.block, 'shm_size'))
  if (shm !== undefined) convertSharedMemory(draft, shm, places)
  addUsual(draft, places)
  places.write()
}

function convertSharedMemory(draft: ServiceDraft, node: ComposeNode, places: Places): void {
  const bytes = sizeInBytes(textOf(node)?.text ?? '')
  if (bytes === null || bytes < leastBytes)
    draft.mistakes.report(node.at, '`shm_size` is no size', 'Write for example `64m`.')
  else if (places.addWritable({ path: '/dev/shm', size: sizeText(bytes) }, node.at, 'shm_size'))
    draft.tell('changed', 'shm_size', node.at, '`writable` at /dev/shm', 'writable')
}

/** Mounts of one service: none may lie in another. */
class Places {
  readonly #draft: ServiceDraft
  readonly #taken: string[] = []
  readonly #writable: Writable[] = []
  readonly #volumes: Record<string, string> = {}

  constructor(draft: ServiceDraft) {
    this.#draft = draft
  }

  isFree(path: string): boolean {
    return (
      !belongsToRuntime(path) && !this.#taken.some((other) => isWithin(path, other) || isWithin(other, path))
    )
  }

  hasVolume(name: string): boolean {
    return Object.hasOwn(this.#volumes, name)
  }

  addWritable(writable: Writable, at: ComposePlace, key: string): boolean {
    if (!this.#claim(writable.path, at, key)) return false
    this.#writable.push(writable)
    return true
  }

  addVolume(name: string, path: string, at: ComposePlace): boolean {
    if (!this.#claim(path, at, 'volumes')) return false
    this.#volumes[name] = path
    return true
  }

  write(): void {
    const { manifest } = this.#draft
    if (this.#writable.length > 0)
      manifest['writable'] = this.#writable.map(({ path, size }) =>
        size === undefined ? path : { path, size },
      )
    if (Object.keys(this.#volumes).length === 0) return
    manifest['volumes'] = this.#volumes
    manifest['stateful'] = true
  }

  #claim(path: string, at: ComposePlace, key: string): boolean {
    if (this.isFree(path)) {
      this.#taken.push(path)
      return true
    }
    const fact = belongsToRuntime(path)
      ? `\`${path}\` belongs to the runtime`
      : `\`${path}\` lies in or around another mount`
    this.#draft.tell('refused', key, at, fact)
    return false
  }
}

function convertBind(draft: ServiceDraft, mount: Mount, places: Places, owners: VolumeOwners): void {
  const { source = '', target, at } = mount
  const refuse = (why: string): void => {
    draft.refusedMounts.add(target)
    draft.tell('refused', 'volumes', at, `${source}: ${why}`, 'volumes')
  }
  if (/docker\.sock$|containerd\.sock$|podman\.sock$/.test(source))
    return refuse('whoever has the Engine’s socket is root of the machine')
  if (/^\/etc\/(?:localtime|timezone)$/.test(source)) {
    draft.tell('dropped', 'volumes', at, `${source}: set TZ in \`env\` if the image has time zones`)
    return
  }
  const isRelative = /^(?:\.|~)/.test(source)
  if (!isRelative && /^\/(?:$|proc|sys|dev|run|var\/run|boot|etc|usr|lib|var\/lib\/docker)/.test(source))
    return refuse('folders of the machine stay closed to instances')
  const looksLikeFile = /\.[a-z0-9]{1,8}$/i.test(source.replace(/^[./~]+/, ''))
  if (!mount.isReadOnly && !looksLikeFile && isDataPath(target)) {
    const name = owners.nameFor(draft, target)
    if (places.addVolume(name, target, at))
      draft.tell(
        'changed',
        'volumes',
        at,
        `volume \`${name}\`, which begins empty: copy ${source} into it`,
        'volumes',
      )
    return
  }
  if (looksLikeFile || mount.isReadOnly)
    return refuse('files come with the image: `COPY` them in its Dockerfile')
  refuse('a mounted source folder is for development; a release runs what was built into its image')
}

function convertMount(draft: ServiceDraft, mount: Mount, places: Places, owners: VolumeOwners): void {
  const { source, target, at } = mount
  const shielding = [...draft.refusedMounts].find((path) => isWithin(target, path))
  if (shielding !== undefined && mount.kind !== 'tmpfs' && !isDataPath(target)) {
    draft.tell('dropped', 'volumes', at, `${target} only shielded it from the mount at ${shielding}`)
    return
  }
  if (mount.kind === 'other') {
    draft.tell(
      'refused',
      'volumes',
      at,
      `${target}: there are no mounts of type \`${mount.type}\``,
      'volumes',
    )
    return
  }
  if (mount.kind === 'tmpfs' || source === undefined) {
    const bytes = mount.sizeBytes
    const size = bytes === null || bytes < leastBytes ? {} : { size: sizeText(bytes) }
    if (!places.addWritable({ path: target, ...size }, at, 'volumes')) return
    if (mount.kind === 'tmpfs') draft.tell('carried', 'volumes', at, '`writable`')
    else
      draft.tell(
        'changed',
        'volumes',
        at,
        `${target} has no name: \`writable\`, empty at every start`,
        'writable',
      )
    return
  }
  const obstacle = owners.obstacle(source, draft, mount, places.hasVolume(owners.nameOf(source)))
  if (obstacle !== null) {
    draft.tell('refused', 'volumes', at, `${source}: ${obstacle}`, 'volumes')
    return
  }
  const name = owners.nameOf(source)
  if (places.addVolume(name, target, at))
    draft.tell(
      'changed',
      'volumes',
      at,
      `volume \`${name}\`, which begins empty: copy the data of \`${source}\` into it`,
      'volumes',
    )
}

function convertTmpfs(draft: ServiceDraft, node: ComposeNode, places: Places): void {
  const text = draft.plain(node, 'tmpfs')
  if (text === null) return
  const [path = '', options = ''] = text.split(':')
  if (!/^\/[^\0-\x1f\x7f]*$/.test(path) || /(?:^|\/)\.{1,2}(?:\/|$)|\/\//.test(path)) {
    draft.mistakes.report(
      node.at,
      `${JSON.stringify(path.slice(0, 80))} is not an absolute path`,
      'Write for example `/run`.',
    )
    return
  }
  const size = /(?:^|,)size=([^,]+)/.exec(options)?.[1]
  const bytes = size === undefined ? null : sizeInBytes(size)
  const clean = path === '/' ? path : path.replace(/\/$/, '')
  const isSized = bytes !== null && bytes >= leastBytes
  if (places.addWritable({ path: clean, ...(isSized && { size: sizeText(bytes) }) }, node.at, 'tmpfs'))
    draft.tell('carried', 'tmpfs', node.at, '`writable`')
}

/** The root is read-only; what nearly every image writes to is made writable, unless the file wants none. */
function addUsual(draft: ServiceDraft, places: Places): void {
  if (isTrue(member(draft.service.block, 'read_only'))) {
    const node = member(draft.service.block, 'read_only')
    if (node !== undefined) draft.tell('carried', 'read_only', node.at, 'the root is always read-only')
    return
  }
  const usual = ['/tmp', ...(draft.hints.writable ?? [])].filter((path) => places.isFree(path))
  for (const path of usual) places.addWritable({ path }, draft.service.at, 'read_only')
  if (usual.length === 0) return
  draft.tell(
    'changed',
    'read_only',
    draft.service.at,
    `the root is read-only here; writable are ${usual.join(', ')}: add what else it writes to`,
    'writable',
  )
}
