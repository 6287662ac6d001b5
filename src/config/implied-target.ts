import { existsSync } from 'node:fs'
import { BasaltError } from '../errors.ts'
import { dockerSocket } from '../util/docker-socket.ts'

/**
 * Where a system runs that says nothing of it: on `docker` where the machine has an Engine's socket, as who has an Engine
 * thinks in its containers, and will look for them there.
 */
export function impliedTarget(
  environment: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => boolean = existsSync,
): 'docker' | 'local' {
  try {
    return exists(dockerSocket(environment, exists)) ? 'docker' : 'local'
  } catch (error) {
    // An Engine of another machine builds images, and no more.
    if (error instanceof BasaltError) return 'local'
    throw error
  }
}
