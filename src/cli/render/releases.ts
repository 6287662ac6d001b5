import type { ReleaseList } from '../../engine/engine.ts'
import { formatAge } from '../duration.ts'
import { shortDigest } from './names.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

/** Releases, newest first, with where each one serves. `now` in milliseconds since the epoch. */
export function renderReleases(list: ReleaseList, paint: Paint, now: number): string {
  if (list.releases.length === 0) return 'There is no release yet. Make one with `basalt build`.'
  return renderTable(
    ['RELEASE', 'DIGEST', 'BUILT', 'BY', 'REVISION', 'SERVES'],
    list.releases.map(({ release, at, actor, revision, dirty, environments }) => [
      paint('bold', release.name),
      shortDigest(release.digest),
      formatAge(now - at),
      printable(actor),
      `${revision?.slice(0, 12) ?? '-'}${dirty ? paint('yellow', ' dirty') : ''}`,
      environments.join(', ') || '-',
    ]),
  )
}
