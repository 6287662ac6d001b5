import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { BasaltError } from '../errors.ts'
import { defaults } from './defaults.ts'
import { dockerfileHints } from './dockerfile-hints.ts'
import { impliedSystemName } from './implied-names.ts'
import type { LoadedManifest } from './load-manifest.ts'
import { parseLocatedManifest } from './parse-manifest.ts'

/**
 * The system of a folder that has nothing but a Dockerfile: one service, which answers at the port that it exposes, under
 * every host name, and is healthy when `GET /` answers. Rejects with `manifest.missing` where it exposes none.
 *
 * @param target where its instances run
 */
export async function impliedManifest(dockerfile: string, target: string): Promise<LoadedManifest> {
  const name = impliedSystemName(dockerfile)
  const [port] = dockerfileHints(await readFile(dockerfile, 'utf8'), null).ports
  if (port === undefined)
    throw new BasaltError('manifest.missing', {
      message: `${dockerfile} exposes no TCP port, and there is no basalt.yaml that names one`,
      remedy: 'Add a line such as `EXPOSE 8080` to it, or write a basalt.yaml with `basalt init`.',
      details: { file: dockerfile },
    })
  const { system } = parseLocatedManifest(
    JSON.stringify(manifestOf(name, basename(dockerfile), port, target)),
    dockerfile,
  )
  return { system, file: dockerfile, locate: () => null }
}

const manifestOf = (name: string, dockerfile: string, port: number, target: string): object => ({
  system: name,
  services: {
    [name]: {
      build: { context: '.', dockerfile },
      port,
      expose: true,
      health: { http: '/' },
      writable: ['/tmp'],
    },
  },
  environments: { [defaults.environment.name]: { target, ingress: port } },
})
