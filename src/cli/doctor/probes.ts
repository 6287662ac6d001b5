import { asRoot } from '../../server/home.ts'
import { defaultGroup } from '../../server/socket.ts'
import { formatSize } from '../render/names.ts'
import { debianSources } from './debian-sources.ts'
import { findEngine } from './docker-engine.ts'
import { findRuntime } from './find-runtime.ts'
import type { Finding, Machine, Probe } from './probe.ts'

const found = (detail: string): Finding => ({ state: 'found', detail })
const poor = (detail: string): Finding => ({ state: 'poor', detail })
const missing = (detail: string): Finding => ({ state: 'missing', detail })

/** A program that only has to be there; its first line of output is shown. */
const program =
  (file: string, ...versionArguments: string[]) =>
  async (machine: Machine): Promise<Finding> => {
    const result = await machine.run(file, ...versionArguments)
    if (result === null) return missing(`${file} is not installed`)
    const text = `${result.stdout}\n${result.stderr}`.split('\n').find((line) => line.trim() !== '') ?? ''
    return found(text.trim())
  }

const lowestNode = [22, 19] as const
const lowestHaproxy = [2, 6] as const
const comfortableBytes = 2_000_000_000

const joinGroup = (group: string): string =>
  `groupadd --system ${group} && usermod --append --groups ${group} <user>, then: basalt server restart`

const atLeast = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** What is missing there is not missed where a Docker Engine answers: environments on target docker do without. */
const unlessDocker =
  (find: (machine: Machine) => Promise<Finding>) =>
  async (machine: Machine): Promise<Finding> => {
    const finding = await find(machine)
    if (finding.state !== 'missing' || (await machine.docker('/version')).kind === 'failed') return finding
    return poor(`${finding.detail}; only target docker can be used`)
  }

/** In the order in which a person would mend things. */
export const probes: readonly Probe[] = [
  {
    name: 'node',
    purpose: 'runs Basalt',
    required: true,
    remedy: `Install Node ${lowestNode.join('.')} or newer, or run \`npm install\` in Basalt's folder.`,
    find: ({ nodeVersion }) =>
      atLeast(nodeVersion, lowestNode) ? found(nodeVersion) : missing(`${nodeVersion} is too old`),
  },
  {
    name: 'root',
    purpose: 'the server makes namespaces, mounts and cgroups',
    required: true,
    remedy: 'Start the server with sudo: sudo basalt server start',
    find: ({ userId, server, homeFolder }) =>
      userId === 0
        ? found('this is root')
        : server === null
          ? {
              ...missing(`this is user ${userId}, and no server runs`),
              remedy: `Start the server with sudo: ${asRoot(homeFolder, 'server start')}`,
            }
          : found('the server runs as root'),
  },
  {
    name: 'runtime',
    purpose: 'starts instances (crun or runc); proven by a trial start',
    required: true,
    remedy: 'apt-get install crun',
    find: unlessDocker(findRuntime),
  },
  {
    name: 'haproxy',
    purpose: 'carries and switches traffic',
    required: true,
    remedy: 'apt-get install haproxy',
    find: unlessDocker(async (machine) => {
      const result = await machine.run('haproxy', '-v')
      if (result === null) return missing('haproxy is not installed')
      const version = /version (\d+\.\d+(?:\.\d+)?)/i.exec(result.stdout)?.[1] ?? '0'
      return atLeast(version, lowestHaproxy) ? found(version) : missing(`${version} is older than 2.6`)
    }),
  },
  {
    name: 'docker',
    purpose: 'runs instances of environments on target docker',
    required: false,
    remedy: 'Start it, for example: systemctl start docker',
    find: findEngine,
  },
  {
    name: 'nft',
    purpose: 'sends the traffic between services through the router',
    required: true,
    remedy: 'apt-get install nftables',
    find: program('nft', '--version'),
  },
  {
    name: 'ip',
    purpose: 'makes network namespaces; says who asks (ss)',
    required: true,
    remedy: 'apt-get install iproute2',
    find: program('ip', '-V'),
  },
  {
    name: 'erofs',
    purpose: 'gives instances a sealed root; without it an unpacked folder is used',
    required: false,
    remedy: 'Load it: modprobe erofs (some kernels come without it)',
    find: async (machine) => {
      if (/\berofs$/m.test(machine.read('/proc/filesystems'))) return found('in the kernel')
      const module = await machine.run('modprobe', '--dry-run', '--quiet', 'erofs')
      return module?.exitCode === 0 ? found('a kernel module') : poor('this kernel has none')
    },
  },
  {
    name: 'mkfs.erofs',
    purpose: 'makes the sealed root',
    required: false,
    remedy: 'apt-get install erofs-utils',
    find: program('mkfs.erofs', '-V'),
  },
  {
    name: 'gpgv',
    purpose: 'checks the signatures of package indexes',
    required: true,
    remedy: 'apt-get install gpgv',
    find: program('gpgv', '--version'),
  },
  {
    name: 'dpkg-deb',
    purpose: 'extracts packages',
    required: true,
    remedy: 'apt-get install dpkg',
    find: program('dpkg-deb', '--version'),
  },
  {
    name: 'dockerfiles',
    purpose: 'builds services that have a Dockerfile',
    required: false,
    remedy: 'Needed only by Dockerfiles: apt-get install docker.io, or apt-get install buildah',
    find: findDockerfileBuilder,
  },
  {
    name: 'git',
    purpose: 'tells which commit a release was built from',
    required: false,
    remedy: 'apt-get install git',
    find: program('git', '--version'),
  },
  {
    name: 'apt mirror',
    purpose: 'where packages come from',
    required: false,
    remedy: 'Name one in /etc/apt/sources.list: needed only by recipes with packages.',
    find: (machine) => {
      const mirrors = aptMirrors(machine)
      return mirrors.length === 0 ? poor('none is configured') : found(mirrors.join(' '))
    },
  },
  {
    name: 'disk',
    purpose: 'holds images, releases and the ledger',
    required: true,
    remedy: 'Make room, or set BASALT_HOME to a folder on another disk.',
    find: (machine) => {
      const free = machine.freeBytes(machine.homeFolder)
      const detail = `${formatSize(free)} free for ${machine.homeFolder}`
      return free < comfortableBytes ? poor(detail) : found(detail)
    },
  },
  {
    name: 'group',
    purpose: 'lets its members use Basalt without root',
    required: false,
    remedy: joinGroup(defaultGroup),
    find: (machine) => {
      const { groupName } = machine
      const line = machine
        .read('/etc/group')
        .split('\n')
        .find((entry) => entry.startsWith(`${groupName}:`))
      if (line === undefined)
        return {
          ...poor(`there is no group ${groupName}: only root may use Basalt`),
          remedy: joinGroup(groupName),
        }
      return found(`${groupName}: ${line.split(':')[3] || 'no members'}`)
    },
  },
  {
    name: 'server',
    purpose: 'does the work; commands start it',
    required: false,
    remedy: 'sudo basalt server start, or after an upgrade: sudo basalt server restart',
    find: ({ server, cliVersion, homeFolder }) => {
      if (server === null)
        return { ...poor('none runs'), remedy: `Start it: ${asRoot(homeFolder, 'server start')}` }
      const detail = `version ${server.version}, pid ${server.pid}`
      return server.version === cliVersion
        ? found(detail)
        : {
            ...poor(`${detail}; this CLI is version ${cliVersion}`),
            remedy: `After an upgrade: ${asRoot(homeFolder, 'server restart')}`,
          }
    },
  },
]

/** The oldest API that the Dockerfile builder can use; see docs/dockerfile.md. */
const lowestEngineApi = [1, 41] as const

async function findDockerfileBuilder(machine: Machine): Promise<Finding> {
  const format = '{{.Server.Version}} {{.Server.APIVersion}}'
  const [engine, buildah] = await Promise.all([
    machine.run('docker', 'version', '--format', format),
    machine.run('buildah', '--version'),
  ])
  const [version = '', api = ''] = engine?.exitCode === 0 ? engine.stdout.trim().split(' ') : []
  if (version !== '' && atLeast(api, lowestEngineApi)) return found(`Docker Engine ${version}`)
  const trouble =
    version !== ''
      ? `Docker Engine ${version} is older than 20.10`
      : (engine?.stderr.trim().split('\n').at(-1) ?? 'there is no Docker Engine')
  if (buildah?.exitCode === 0) return found(`${buildah.stdout.trim()}; ${trouble}`)
  return poor(`${trouble}, and no buildah`)
}

function aptMirrors(machine: Machine): readonly string[] {
  const folder = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list', ...machine.list(folder).map((name) => `${folder}/${name}`)]
  return [...new Set(files.flatMap((file) => debianSources(machine.read(file))))]
}
