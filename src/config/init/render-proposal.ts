import { defaults } from '../defaults.ts'
import type { DetectedApp, ProposedRecipe } from './detected-app.ts'

export interface ProposedService {
  readonly name: string
  readonly app: DetectedApp
  readonly exposed: boolean
}

export interface ProposedPlace {
  readonly target: 'docker' | 'local'
  readonly ingress: number
}

/** The text of a first basalt.yaml: what was found, and as comments what one may want next. */
export function renderProposal(
  system: string,
  services: readonly ProposedService[],
  { target, ingress }: ProposedPlace,
  schema: string,
): string {
  const blocks = services.map((service) => renderService(service, services.length > 1))
  return [
    `# yaml-language-server: $schema=${schema}`,
    '#',
    '# Check it with `basalt validate`, see what a deployment would do with `basalt plan`, run it with',
    '# `basalt deploy`. Every key is described in docs/manifest.md of Basalt.',
    `system: ${scalar(system)}`,
    '',
    'services:',
    blocks.join('\n'),
    'environments:',
    `  ${defaults.environment.name}:`,
    ...(target === 'docker'
      ? ['    target: docker  # the Docker Engine of this machine; or local: without it']
      : []),
    `    ingress: ${String(ingress).padEnd(6)} # the port where exposed services answer`,
    '  # production:',
    '  #   ingress: 80',
    '  #   warm: 30m         # how long the previous release stays running for an instant rollback',
    '',
  ].join('\n')
}

function renderService({ name, app, exposed }: ProposedService, hasSiblings: boolean): string {
  const lines = [
    `  # ${app.folder === '.' ? 'This folder' : comment(app.folder)}: ${app.seenAs}`,
    ...app.notes.map((note) => `  # - ${comment(note)}`),
    `  ${scalar(name)}:`,
    ...renderBuild(app),
    ...block('env', app.env),
    `    port: ${app.port}`,
    exposed
      ? '    expose: true        # every host, path /; or for example shop.localhost/api'
      : '    # expose: true      # without it only services that need it reach it',
    `    health: ${scalar(app.health)}${' '.repeat(Math.max(1, 12 - app.health.length))}# GET on this path must answer 200`,
    ...(hasSiblings ? ['    # needs: [name]     # services that it reaches at http://<name>:<port>'] : []),
    '    # replicas: 2',
    app.build === 'dockerfile'
      ? '    writable: [/tmp]    # everything else is read-only'
      : '    # writable: [/tmp]  # everything else is read-only',
    '    # limits: { memory: 256M }',
    '',
  ]
  return lines.join('\n')
}

function renderBuild({ build, folder }: DetectedApp): readonly string[] {
  if (build === 'dockerfile') return [`    build: ${scalar(folder === '.' ? '.' : `./${folder}`)}`]
  const { base, packages, workdir, entrypoint } = build
  return [
    '    build:',
    `      base: ${base === 'debian' ? `debian:${defaults.build.suite}` : base}`,
    ...(packages.length > 0 ? [`      packages: ${list(packages)}`] : []),
    '      copy:',
    `        - ${copy(build)}`,
    ...(workdir === defaults.build.workdir ? [] : [`      workdir: ${scalar(workdir)}`]),
    `      entrypoint: ${list(entrypoint)}`,
    '      user: "1000:1000"   # not root',
  ]
}

const copy = ({ copy: { from, to, ignore } }: ProposedRecipe): string =>
  ignore.length === 0
    ? `{ from: ${scalar(from)}, to: ${scalar(to)} }`
    : `{ from: ${scalar(from)}, to: ${scalar(to)}, ignore: ${list(ignore)} }`

const block = (key: string, values: Readonly<Record<string, string>>): readonly string[] =>
  Object.keys(values).length === 0
    ? []
    : [`    ${key}:`, ...Object.entries(values).map(([name, value]) => `      ${name}: ${scalar(value)}`)]

const list = (items: readonly string[]): string => `[${items.map(scalar).join(', ')}]`

/** Plain where YAML surely reads back the same text, else in double quotes, whose escapes are JSON's. */
const scalar = (text: string): string =>
  /^[A-Za-z_/.][A-Za-z0-9/._-]*$/.test(text) && !/^(?:true|false|null|\.+(?:inf|nan)?)$/i.test(text)
    ? text
    : JSON.stringify(text)

const comment = (text: string): string => text.replaceAll(/[^\P{C}]/gu, '?')
