import * as z from 'zod'
import { defaults } from '../defaults.ts'
import { dockerfileFolder, dockerfileSchema } from './dockerfile-schema.ts'
import { exposeSchema } from './expose-schema.ts'
import { recipeSchema } from './recipe-schema.ts'
import {
  argumentsOf,
  containerPath,
  duration,
  environmentVariables,
  imageName,
  labels,
  list,
  name,
  portNumber,
  size,
  text,
  userName,
  whole,
  yesOrNo,
} from './scalars.ts'

const portRule = 'a port number such as `8080`, `6379/tcp`, or a block with `port` and `protocol`'
const portShort = z.union([portNumber, text(portRule, /^(?:[1-9][0-9]{0,4})(?:\/(?:tcp|http))?$/)], {
  error: portRule,
})
const portBlock = z.strictObject(
  {
    port: portNumber.meta({ description: 'The port that the process listens on.', examples: [8080] }),
    protocol: z.enum(['http', 'tcp'], '`http` or `tcp`').optional().meta({
      description: '`http` is routed, retried and counted by request; `tcp` by connection.',
      default: defaults.protocol,
    }),
  },
  { error: portRule },
)

const healthPath = text('a path such as `/up` (or `running`)', /^(?:running|\/[^\s\u0000-\u001f\u007f]*)$/)
const healthBlock = z.strictObject(
  {
    http: text('a path such as `/up`', /^\/[^\s\u0000-\u001f\u007f]*$/)
      .optional()
      .meta({ description: 'Healthy when GET on this path answers 200.', default: defaults.health.path }),
    tcp: portNumber
      .optional()
      .meta({ description: 'Healthy when this port accepts a connection.', examples: [6379] }),
    command: argumentsOf('a list such as `[redis-cli, ping]`, or one line without shell syntax')
      .optional()
      .meta({
        description: 'Healthy when this command, run inside the instance, exits with 0.',
        examples: [['redis-cli', 'ping']],
      }),
    port: portNumber.optional().meta({ description: 'Where to ask with `http`; without it the first port.' }),
    interval: duration
      .optional()
      .meta({ description: 'Between two checks of a healthy instance.', default: defaults.health.interval }),
    timeout: duration
      .optional()
      .meta({ description: 'How long one check may take.', default: defaults.health.timeout }),
    start: duration.optional().meta({
      description: 'From start to the first healthy answer, at most; then the deployment fails.',
      default: defaults.health.start,
    }),
    retries: whole('a whole number from 1 to 100', 1, 100).optional().meta({
      description: 'Failures in a row that make a healthy instance unhealthy.',
      default: defaults.health.retries,
    }),
  },
  { error: 'a block with `http`, `tcp` or `command`' },
)

const writableBlock = z.strictObject(
  {
    path: containerPath.meta({ description: 'Where the instance may write.', examples: ['/tmp'] }),
    size: size
      .optional()
      .meta({ description: 'How much it may hold, in memory.', default: defaults.writableSize }),
  },
  { error: 'a path such as `/tmp`, or a block with `path` and `size`' },
)

export const limitsSchema = z.strictObject(
  {
    memory: size.optional().meta({
      description: 'Memory, at least 4M; beyond it the process is killed. Without it: no limit.',
      examples: ['256M'],
    }),
    cpus: z
      .number('a number of processors such as `0.5`')
      .min(0.01, 'a number of processors such as `0.5`')
      .max(1024, 'a number of processors such as `0.5`')
      .optional()
      .meta({ description: 'Processor time, in processors. Without it: no limit.', examples: [0.5] }),
    pids: whole('a whole number from 1 to 4194304', 1, 4_194_304)
      .optional()
      .meta({ description: 'Processes and threads.', default: defaults.limits.pids }),
  },
  { error: 'a block with `memory`, `cpus` or `pids`' },
)

export const replicasSchema = whole('a whole number from 1 to 1000', 1, 1000)

export const serviceSchema = z.strictObject(
  {
    build: z
      .union([dockerfileFolder, dockerfileSchema, recipeSchema], {
        error:
          'a folder with a Dockerfile such as `./web`, a block with `context`, or a recipe: a block with `base`, `packages`, `copy`, `entrypoint` …',
      })
      .optional()
      .meta({
        description:
          'How its image is built: by a Dockerfile, or by a recipe, from a clean state, without Docker. Either this or `image`.',
        examples: ['./web'],
      }),
    image: imageName.optional().meta({
      description:
        'A ready image: by its name in a registry, with Docker’s defaults, or by the digest of one in the store. A tag is resolved to a digest once, by the first build, and pinned in basalt.lock. Either this or `build`.',
      examples: ['nginx:1.25'],
    }),
    command: argumentsOf('a list such as `[node, server.js]`, or one line without shell syntax')
      .optional()
      .meta({
        description: 'Replaces the image’s entrypoint and arguments. No shell runs.',
        examples: [['python3', 'api.py']],
      }),
    env: environmentVariables.optional().meta({
      description: 'Environment variables. Numbers and booleans are taken as written.',
      examples: [{ LOG_LEVEL: 'info' }],
    }),
    port: portShort.optional().meta({
      description: 'The one port that it listens on, HTTP unless `/tcp` is added.',
      examples: [8080, '6379/tcp'],
    }),
    ports: list(z.union([portShort, portBlock], { error: portRule }), 'a list of ports')
      .optional()
      .meta({
        description: 'The ports that it listens on, when there are several.',
        examples: [[8080, '9000/tcp']],
      }),
    expose: exposeSchema.optional().meta({
      description:
        'Where it answers outside the system: `true` (every host, path `/`), `host/path`, a block, or a list. Without it only services that need it reach it.',
      examples: [true, 'shop.localhost', { host: 'shop.localhost', path: '/api' }, { tcp: 5432 }],
    }),
    replicas: replicasSchema
      .optional()
      .meta({ description: 'How many identical instances run.', default: defaults.replicas }),
    health: z
      .union([healthPath, healthBlock], {
        error: 'a path such as `/up`, `running`, or a block with `http`, `tcp` or `command`',
      })
      .optional()
      .meta({
        description:
          'When an instance is healthy. A path, `running` (it runs), or a block. Without it: GET /up = 200 on a first http port, a connection on a first tcp port, else `running`.',
        examples: ['/up', { tcp: 6379 }, { command: ['redis-cli', 'ping'] }],
      }),
    needs: list(name, 'a list of service names')
      .optional()
      .meta({
        description: 'Services that it reaches by name, at `http://<name>:<port>`.',
        examples: [['api']],
      }),
    writable: list(
      z.union([containerPath, writableBlock], {
        error: 'a path such as `/tmp`, or a block with `path` and `size`',
      }),
      'a list of paths',
    )
      .optional()
      .meta({
        description:
          'Paths that the instance may write to: empty at start, in memory, gone with it. All else is read-only.',
        examples: [['/tmp', { path: '/run', size: '16M' }]],
      }),
    volumes: z
      .record(name, containerPath, { error: 'a block of `name: /path` lines' })
      .optional()
      .meta({
        description:
          'Durable storage: volume name to path. Needs `stateful: true`; neither replaced nor rolled back.',
        examples: [{ data: '/var/lib/app' }],
      }),
    stateful: yesOrNo().optional().meta({
      description: 'It holds durable data: one instance only, stopped before its successor starts.',
      default: false,
    }),
    limits: limitsSchema.optional().meta({ description: 'What an instance may use.' }),
    user: userName.optional().meta({
      description: 'Who the process runs as, instead of what the image says.',
      examples: ['1000', '1000:1000'],
    }),
    capabilities: list(
      z.string('a Linux capability such as `NET_BIND_SERVICE`'),
      'a list of Linux capabilities',
    )
      .optional()
      .meta({ description: 'Linux capabilities, beyond none at all.', examples: [['NET_BIND_SERVICE']] }),
    stop: z
      .strictObject(
        {
          signal: text('a signal such as `SIGTERM`', /^(?:SIG)?[A-Z0-9]+$/)
            .optional()
            .meta({ description: 'What asks the process to end.', default: defaults.stop.signal }),
          grace: duration
            .optional()
            .meta({ description: 'How long it has until it is killed.', default: defaults.stop.grace }),
        },
        { error: 'a block with `signal` and `grace`' },
      )
      .optional()
      .meta({ description: 'How an instance is ended.' }),
    labels: labels.optional().meta({
      description:
        'Notes for people and tools. They are not part of a service’s identity: changing one replaces nothing.',
    }),
  },
  { error: 'a block that describes the service' },
)

export type ServiceManifest = z.infer<typeof serviceSchema>
export type HealthManifest = z.infer<typeof healthBlock>
export type PortManifest = z.infer<typeof portShort> | z.infer<typeof portBlock>
