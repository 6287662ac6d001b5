import { isAbsolute, join } from 'node:path'
import { lstat, resolveInRoot } from '../../../images/root-path.ts'

/**
 * Where a program lies inside a root, looked for as execvp(3) does: names without a slash along PATH.
 * Null where there is no executable file of that name.
 */
export function findProgram(
  rootPath: string,
  program: string,
  env: readonly string[],
  workdir: string,
): string | null {
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? ''
  const candidates = program.includes('/')
    ? [isAbsolute(program) ? program : join(workdir, program)]
    : path.split(':').map((folder) => join(folder, program))
  return candidates.find((candidate) => isExecutable(resolveInRoot(rootPath, candidate))) ?? null
}

function isExecutable(hostPath: string): boolean {
  const found = lstat(hostPath)
  return found?.isFile() === true && (found.mode & 0o111) !== 0
}
