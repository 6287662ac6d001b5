import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** How to run a command on this machine as if some of its programs were not installed. */
export interface MachineWithout {
  /** Goes before the command. */
  readonly prefix: readonly string[]
  remove(): void
}

/**
 * In a mount namespace of its own the folder of each program is covered by one of links to everything else that
 * is in it. PATH alone would not do: Basalt looks where programs are also when PATH does not say so.
 */
export function machineWithout(programs: readonly string[]): MachineWithout {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-without-'))
  const hidden = ['/usr/bin', '/usr/sbin'].filter((place) =>
    programs.some((program) => readdirSync(place).includes(program)),
  )
  const steps = hidden.map((place) => {
    const [real, links] = [join(folder, `real-${basename(place)}`), join(folder, basename(place))]
    for (const made of [real, links]) mkdirSync(made)
    for (const name of readdirSync(place))
      if (!programs.includes(name)) symlinkSync(join(real, name), join(links, name))
    return `mount --bind ${place} ${real} && mount --bind ${links} ${place}`
  })
  const script = [...steps, 'exec "$@"'].join(' && ')
  return {
    prefix: ['unshare', '--mount', 'sh', '-c', script, 'sh'],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A file system of its own, so that a disk can be full. */
export function mountSmallDisk(folder: string, sizeBytes: number): void {
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder])
}

export function unmountSmallDisk(folder: string): void {
  execFileSync('umount', ['--lazy', folder])
}
