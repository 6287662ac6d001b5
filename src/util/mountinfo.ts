import { readFile } from 'node:fs/promises'

/** A line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly path: string
  readonly fileSystem: string
  readonly source: string
  readonly readOnly: boolean
}

/** All mounts that this process sees; of several on one path the last one is on top. */
export async function readMounts(file = '/proc/self/mountinfo'): Promise<readonly Mount[]> {
  return parseMountinfo(await readFile(file, 'utf8'))
}

export const parseMountinfo = (text: string): readonly Mount[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ', 2)
      const [, , , , path = '', options = ''] = before.split(' ')
      const [fileSystem = '', source = ''] = after.split(' ')
      return {
        path: unescapeOctal(path),
        fileSystem,
        source: unescapeOctal(source),
        readOnly: options.split(',').includes('ro'),
      }
    })

/** Blanks, tabs, newlines and backslashes are written in octal. */
const unescapeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
