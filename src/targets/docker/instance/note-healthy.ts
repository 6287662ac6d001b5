import { writeFileSync } from 'node:fs'
import { tell } from '../../host/instance/follow-health.ts'
import type { DockerContext } from '../docker-context.ts'
import type { DockerInstance } from './docker-instance.ts'

/** Leaves a mark for the next server, which then waits for one answer rather than taking the instance for a new one. */
export function noteHealthy(context: DockerContext, instance: DockerInstance): void {
  instance.record = { ...instance.record, provenHealthy: true }
  try {
    writeFileSync(context.paths.instance(instance.id).proven, '')
  } catch (cause) {
    // The folder is gone when the instance was removed meanwhile.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') tell(context, instance, cause)
  }
}
