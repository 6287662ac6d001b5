import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'

const example = resolve(import.meta.dirname, '../examples/shop')

/** examples/shop in a project folder of its own, answering at a port of its own. */
export interface Shop extends BasaltHome {
  readonly port: number
  /** Has web and api stamp their answers with this from the next deployment on. */
  stamp(release: string): void
}

export async function openShop(): Promise<Shop> {
  const basalt = openBasaltHome()
  const port = await freePort()
  cpSync(example, basalt.project, { recursive: true, filter: (source) => !source.endsWith('basalt.lock') })
  const file = join(basalt.project, 'basalt.yaml')
  const manifest = readFileSync(file, 'utf8')
    .replace('ingress: 8080', `ingress: ${port}`)
    .replace('watch: 2s', 'watch: 0s')
  const stamp = (release: string): void =>
    writeFileSync(file, manifest.replaceAll('RELEASE: "1"', `RELEASE: "${release}"`))
  stamp('1')
  basalt.commit()
  return { ...basalt, port, stamp }
}
