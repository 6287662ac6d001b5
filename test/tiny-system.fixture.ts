import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A service of basalt.yaml, as far as a test says it. */
export type ServiceText = Readonly<Record<string, unknown>>

export interface TinySystem {
  readonly services: Readonly<Record<string, ServiceText>>
  readonly environments?: Readonly<Record<string, unknown>>
}

/** Debian's `busybox-static`: one file that is an image's whole content, so that nothing is fetched. */
const busybox = '/bin/busybox'

/** Fills a folder with what tiny services are built from: busybox, and pages that `httpd` serves. */
export function writeTinyFiles(folder: string): void {
  mkdirSync(join(folder, 'bin'), { recursive: true })
  cpSync(busybox, join(folder, 'bin/busybox'))
  writePage(folder, 'index.html', 'one\n')
  writePage(folder, 'up', 'ok\n')
}

/** A page of `tinyService`; another text is another image. */
export function writePage(folder: string, name: string, text: string): void {
  mkdirSync(join(folder, 'www'), { recursive: true })
  writeFileSync(join(folder, 'www', name), text)
}

/** Serves www/ by HTTP on port 8080, which is exposed on every host. */
export const tinyService = (changes: ServiceText = {}): ServiceText => ({
  build: {
    base: 'scratch',
    copy: [
      { from: 'bin', to: '/bin' },
      { from: 'www', to: '/www' },
    ],
    entrypoint: ['/bin/busybox', 'httpd', '-f', '-p', '8080', '-h', '/www'],
  },
  port: 8080,
  expose: true,
  health: { http: '/up', interval: '500ms' },
  stop: { grace: '2s' },
  ...changes,
})

/** The same image with a shell script as its process. */
export const shellService = (script: string, changes: ServiceText = {}): ServiceText =>
  tinyService({ command: ['/bin/busybox', 'sh', '-c', script], ...changes })

/** Writes basalt.yaml; JSON is YAML. */
export function writeTinySystem(folder: string, system: TinySystem): void {
  writeFileSync(join(folder, 'basalt.yaml'), `${JSON.stringify({ system: 'tiny', ...system }, null, 2)}\n`)
}
