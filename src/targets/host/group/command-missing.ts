import type { GroupSpec } from '../../../core/generation.ts'
import { BasaltError } from '../../../errors.ts'

/** Neither the service nor its image says what to run. */
export const commandMissing = ({ service, image }: Pick<GroupSpec, 'service' | 'image'>): BasaltError =>
  new BasaltError('build.entrypoint-missing', {
    message: `${service} has no command, and neither has its image ${image}`,
    remedy: `Set \`command\` of ${service} in basalt.yaml, or \`entrypoint\` in its recipe.`,
  })
