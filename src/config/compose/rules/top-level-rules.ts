import { carried, changed, dropped, type KeyRules, off, refused } from './key-rule.ts'
import { serviceRules } from './service-rules.ts'

const labels = dropped('map|list', 'nothing looks for them here')

const networkRules: KeyRules = {
  name: dropped('text', 'networks have no names of their own'),
  driver: dropped('text', 'the target makes the network'),
  driver_opts: dropped('map', 'the target makes the network'),
  ipam: dropped('map', 'the target chooses addresses', {
    keys: {
      driver: dropped('text', 'the target chooses addresses'),
      config: dropped('list', 'the target chooses addresses', {
        keys: {
          subnet: dropped('text', 'the target chooses addresses'),
          ip_range: dropped('text', 'the target chooses addresses'),
          gateway: dropped('text', 'the target chooses addresses'),
          aux_addresses: dropped('map', 'the target chooses addresses'),
        },
      }),
      options: dropped('map', 'the target chooses addresses'),
    },
  }),
  external: refused(
    'text|map',
    'a system is sealed: it reaches nothing that another system runs but what is exposed',
    { ...off, keys: { name: refused('text', 'as `external`') } },
  ),
  internal: dropped('text', 'only `expose` makes a service reachable from outside', off),
  enable_ipv4: dropped('text', 'the target chooses addresses'),
  enable_ipv6: dropped('text', 'the target chooses addresses'),
  attachable: dropped('text', 'nothing else joins a generation’s network', off),
  labels,
}

const volumeRules: KeyRules = {
  name: dropped('text', 'a volume belongs to its environment and is named by it'),
  driver: refused('text', 'volumes are folders of the target; other drivers have no counterpart', {
    harmless: ['local'],
  }),
  driver_opts: refused('map', 'volumes are folders of the target; other drivers have no counterpart'),
  external: changed('text|map', 'a new volume, which is empty: copy the data into it', {
    ...off,
    keys: { name: dropped('text', 'a volume is named by its environment') },
  }),
  labels,
}

const fileRules = (kind: string, extra: KeyRules = {}): KeyRules => ({
  name: dropped('text', `a ${kind} is found by its key`),
  environment: refused('text', `${kind}s come with a later version`),
  file: refused('text', `${kind}s come with a later version`),
  external: refused('text|map', `${kind}s come with a later version`, {
    ...off,
    keys: { name: refused('text', `as \`external\``) },
  }),
  labels,
  template_driver: refused('text', 'there are no templates'),
  ...extra,
})

/** The keys at the top of a Compose file. */
export const topLevelRules: KeyRules = {
  version: dropped('text', 'Compose itself ignores it; releases are numbered by Basalt'),
  name: carried('text', '`system`'),
  include: carried('list', 'the files are read, and their services are written into the one basalt.yaml', {
    keys: {
      path: carried('text|list', 'the files that are read'),
      env_file: carried('text|list', 'the variables of those files'),
      project_directory: carried('text', 'where their relative paths begin'),
    },
  }),
  services: carried('map', '`services`; names become lower case with `-`', {
    named: true,
    keys: serviceRules,
  }),
  networks: dropped('map', '`needs` says which services reach each other', {
    named: true,
    keys: networkRules,
  }),
  volumes: changed('map', '`volumes` of the one service that writes them', {
    named: true,
    keys: volumeRules,
  }),
  configs: refused('map', 'files come with the image: `COPY` them in its Dockerfile', {
    named: true,
    keys: fileRules('config', { content: refused('text', 'configs come with a later version') }),
  }),
  secrets: refused('map', 'secrets come with a later version; none is ever written into basalt.yaml', {
    named: true,
    keys: fileRules('secret', {
      driver: refused('text', 'secrets come with a later version'),
      driver_opts: refused('map', 'secrets come with a later version'),
    }),
  }),
  models: refused('map', 'language models are not run', {
    named: true,
    keys: {
      name: refused('text', 'language models are not run'),
      model: refused('text', 'language models are not run'),
      context_size: refused('text', 'language models are not run'),
      runtime_flags: refused('list', 'language models are not run'),
    },
  }),
}
