import type { BuildResult } from '../../engine/engine.ts'
import { formatDuration } from '../duration.ts'
import { formatSize, shortDigest } from './names.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

/** What a build made, which digests images have, and what the programs printed where that was asked for. */
export function renderBuild(
  built: BuildResult,
  paint: Paint,
  options: { readonly reasons: boolean },
): string {
  const { images, pins, release, created, dirty, durationMs } = built
  const hasPrograms = images.some(({ made }) => made !== null)
  const rows = images.map((image) => [
    image.service,
    shortDigest(image.image),
    formatSize(image.sizeBytes),
    image.cached ? 'unchanged' : `built in ${formatDuration(image.durationMs)}`,
    ...(hasPrograms ? [programOf(image), image.made?.grade ?? ''] : []),
  ])
  const reasons = images.flatMap(({ service, made }) =>
    (options.reasons ? (made?.reasons ?? []) : []).map((reason) => `${service}: ${reason}`),
  )
  const fact = created ? 'is a new release' : 'exists already: nothing changed'
  const mark = dirty ? paint('yellow', ' (dirty: uncommitted changes)') : ''
  return [
    ...images.flatMap(({ service, output }) =>
      output === null
        ? []
        : [paint('bold', `output of the build of ${service}`), output.split('\n').map(printable).join('\n')],
    ),
    renderTable(['SERVICE', 'IMAGE', 'SIZE', 'BUILD', ...(hasPrograms ? ['BY', 'GRADE'] : [])], rows),
    '',
    ...paragraph(reasons),
    ...paragraph(
      pins.map(({ reference, digest, previous }) => {
        const isMoved = previous !== null && previous !== digest
        return `${reference} → ${digest}${isMoved ? paint('yellow', ` (was ${previous})`) : ''}`
      }),
    ),
    `${paint('bold', release.name)} ${fact}${mark}, ${formatDuration(durationMs)}`,
    paint('dim', release.digest),
  ].join('\n')
}

const programOf = ({ made }: BuildResult['images'][number]): string =>
  made === null ? '' : `${made.program} ${made.version}`

const paragraph = (lines: readonly string[]): readonly string[] => (lines.length === 0 ? [] : [...lines, ''])
