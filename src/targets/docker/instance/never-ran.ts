import { isAbsolute, join } from 'node:path/posix'
import type { BasaltError } from '../../../errors.ts'
import { loadImage } from '../../../images/image.ts'
import { neverRanError } from '../../host/group/start-problem.ts'
import type { DockerContext } from '../docker-context.ts'
import type { DockerInstance } from './docker-instance.ts'

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The Engine says it in words of its own; whether the program is there is asked from the container's root. */
export async function neverRan(
  context: DockerContext,
  instance: DockerInstance,
): Promise<BasaltError | null> {
  const { refusal, container, record } = instance
  if (refusal === null) return null
  const { config } = await loadImage(context.content, record.group.image)
  const [program = ''] = record.group.run.command ?? [...config.entrypoint, ...config.command]
  const path = record.group.run.env['PATH'] ?? pathOf(config.env) ?? defaultPath
  const candidates = program.includes('/')
    ? [isAbsolute(program) ? program : join('/', config.workdir, program)]
    : path.split(':').map((folder) => join(folder, program))
  for (const candidate of candidates)
    if (container !== null && (await context.engine.hasFile(container, candidate)))
      return neverRanError(instance, program, true, refusal)
  return neverRanError(instance, program, false, refusal)
}

const pathOf = (env: readonly string[]): string | undefined =>
  env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length)
