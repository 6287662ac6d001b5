import { type Detect, type DetectedApp, leftOut, within } from './detected-app.ts'

const places = ['public', 'dist', 'static', 'site', 'www']
const port = 8080

/** A folder of files for browsers, served by busybox. */
export const detectStaticSite: Detect = async (folder) => {
  if (folder.names.has('index.html')) return staticSite(folder.path, folder.path)
  for (const place of places)
    if ((await folder.read(`${place}/index.html`)) !== null)
      return staticSite(folder.path, within(folder, place))
  return null
}

export const staticSite = (folder: string, from: string, notes: readonly string[] = []): DetectedApp => ({
  folder,
  seenAs: 'files for browsers, served by busybox',
  build: {
    base: 'debian',
    packages: ['busybox'],
    copy: { from, to: '/srv/www', ignore: leftOut(from) },
    workdir: '/',
    entrypoint: ['/bin/busybox', 'httpd', '-f', '-p', String(port), '-h', '/srv/www'],
  },
  env: {},
  port,
  health: '/',
  notes,
})
