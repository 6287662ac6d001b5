import { Readable } from 'node:stream'
import type { ContentStore } from '../../../images/content-store.ts'
import { sortBytewise } from '../../../util/sort-bytewise.ts'
import type { TarEntry } from '../../../util/tar-entry.ts'
import { writeTar } from '../../../util/tar-writer.ts'
import { nativeBuilderVersion } from '../builder-version.ts'
import type { Layer, LayerCache } from '../layer-cache.ts'
import { layerPathOf } from '../layer-paths.ts'
import { mergedFolders } from './usr-merge.ts'

/** 2000-01-01: the layer is the same in all images, whatever the time of their source. */
const mtime = 946_684_800

const passwd = `root:x:0:0:root:/root:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
app:x:1000:1000:app:/home/app:/usr/sbin/nologin
`
const group = `root:x:0:
tty:x:5:
staff:x:50:
nogroup:x:65534:
app:x:1000:
`
const nsswitch = `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
`

/** `dev`, `proc` and `sys` are where a runtime mounts; a read-only root must have them. */
const folders: Readonly<Record<string, number>> = {
  dev: 0o755,
  etc: 0o755,
  'etc/ssl': 0o755,
  'etc/ssl/certs': 0o755,
  home: 0o755,
  opt: 0o755,
  proc: 0o555,
  root: 0o700,
  run: 0o755,
  srv: 0o755,
  sys: 0o555,
  tmp: 0o1777,
  usr: 0o755,
  'usr/bin': 0o755,
  'usr/lib': 0o755,
  'usr/lib32': 0o755,
  'usr/lib64': 0o755,
  'usr/sbin': 0o755,
  'usr/share': 0o755,
  var: 0o755,
  'var/cache': 0o755,
  'var/lib': 0o755,
  'var/lib/dpkg': 0o755,
  'var/lib/dpkg/status.d': 0o755,
  'var/log': 0o755,
  'var/tmp': 0o1777,
}

/** The lowest layer of every Debian image: what the installer makes, not a package. Mount points of files included. */
export function baseEntries(): readonly TarEntry[] {
  const root = { uid: 0, gid: 0, mtime } as const
  const app = { uid: 1000, gid: 1000, mtime } as const
  const text = (path: string, content: string): TarEntry => ({
    ...root,
    path,
    kind: 'file',
    mode: 0o644,
    content: Buffer.from(content),
  })
  const entries: readonly TarEntry[] = [
    ...Object.entries(folders).map(([path, mode]): TarEntry => ({ ...root, path, kind: 'directory', mode })),
    { ...app, path: 'home/app', kind: 'directory', mode: 0o755 },
    ...mergedFolders.map(
      (name): TarEntry => ({ ...root, path: name, kind: 'symlink', mode: 0o777, target: `usr/${name}` }),
    ),
    { ...root, path: 'var/run', kind: 'symlink', mode: 0o777, target: '/run' },
    text('etc/passwd', passwd),
    text('etc/group', group),
    text('etc/nsswitch.conf', nsswitch),
    text('etc/hostname', ''),
    text('etc/hosts', ''),
    text('etc/resolv.conf', ''),
  ]
  const byPath = new Map(entries.map((entry) => [entry.path, entry]))
  return sortBytewise([...byPath.keys()]).flatMap((path) => byPath.get(path) ?? [])
}

export async function baseLayer(ports: {
  readonly store: ContentStore
  readonly cache: LayerCache
}): Promise<Layer> {
  const entries = baseEntries()
  const facts = { createdBy: 'filesystem', paths: entries.map(layerPathOf) }
  const inputs = `filesystem ${nativeBuilderVersion}`
  const record = await ports.cache.find('filesystem', inputs)
  if (record !== null) return { ...record, ...facts, cached: true }
  const blob = await ports.store.put(Readable.from(writeTar(entries), { objectMode: false }))
  await ports.cache.save('filesystem', { inputs, ...blob })
  return { ...blob, ...facts, cached: false }
}
