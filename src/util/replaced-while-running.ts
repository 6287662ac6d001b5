import { BasaltError } from '../errors.ts'

/** For parts of the program that are loaded when they are needed first: by then another version may be installed. */
export const replacedWhileRunning =
  (part: string) =>
  (cause: unknown): never => {
    throw new BasaltError('server.version-mismatch', {
      message: `the files of Basalt were replaced while this server ran, so it cannot load its ${part}`,
      remedy: 'Start the new version, instances go on serving: sudo basalt server restart',
      cause,
    })
  }
