import { posix } from 'node:path'
import { BasaltError } from '../../errors.ts'
import type { ProcessSettings } from './image-config.ts'
import type { ImagePaths } from './image-paths.ts'

/** Rejects with `build.entrypoint-missing` an image whose first process could not start. */
export function assertEntrypoint(service: string, settings: ProcessSettings, paths: ImagePaths): void {
  const program = settings.entrypoint[0] ?? settings.cmd[0]
  if (program === undefined) return
  const candidates = candidatesOf(program, settings)
  const found = candidates.map((path) => paths.find(path.slice(1))).find((entry) => entry?.kind === 'file')
  if (found && (found.mode & 0o111) !== 0) return
  throw new BasaltError('build.entrypoint-missing', {
    message: found
      ? `the entrypoint of ${service}, /${found.path}, is not executable`
      : `the entrypoint of ${service}, ${program}, is not in the image; looked at ${candidates.join(', ')}`,
    remedy: found
      ? `Make it executable (chmod +x), or start it with its interpreter in \`entrypoint\`.`
      : 'Correct `entrypoint`, or add the package or the `copy` that brings the program.',
    details: { service, entrypoint: program, candidates },
  })
}

/** Where the program may be: like execvp, a name with a slash is a path, another is looked for in PATH. */
function candidatesOf(program: string, settings: ProcessSettings): readonly string[] {
  if (program.includes('/')) return [posix.resolve(settings.workdir, program)]
  return (settings.env.PATH ?? '')
    .split(':')
    .map((folder) => posix.resolve(settings.workdir, folder, program))
}

/** A user given by name must be one that the image knows. */
export function assertUser(service: string, user: string, paths: ImagePaths): void {
  const name = user.split(':')[0] ?? ''
  if (name === '' || /^\d+$/.test(name)) return
  const passwd = paths.find('etc/passwd')?.text ?? ''
  const known = passwd.split('\n').flatMap((line) => line.split(':')[0] || [])
  if (known.includes(name)) return
  throw new BasaltError('build.failed', {
    message: `the user ${name} of ${service} is not in /etc/passwd of the image`,
    remedy:
      known.length === 0
        ? 'The image has no /etc/passwd: give a number, for example `user: "1000:1000"`.'
        : `Use a number, or one of: ${known.join(', ')}.`,
    details: { service, user, known },
  })
}
