import { carried, changed, dropped, type KeyRules, off, refused } from './key-rule.ts'

/* The blocks inside a service. */

const cache = dropped('list', 'builds have a cache of their own')
const buildLimit = refused('text', 'a build has no such setting')

export const buildRules: KeyRules = {
  context: carried('text', '`build.context`, inside the folder of basalt.yaml'),
  dockerfile: carried('text', '`build.dockerfile`'),
  dockerfile_inline: refused('text', 'write it to a file, so that it can be reviewed and named'),
  target: carried('text', '`build.target`'),
  args: carried('map|list', '`build.args`; a secret one is left out'),
  secrets: changed(
    'list',
    '`build.secrets`, where the secret is a file in the folder of basalt.yaml; it is not read',
    {
      keys: {
        source: carried('text', 'the secret, whose file is named'),
        target: carried('text', 'the id'),
        uid: dropped('text', 'the Dockerfile says who reads it'),
        gid: dropped('text', 'the Dockerfile says who reads it'),
        mode: dropped('text', 'the Dockerfile says who reads it'),
      },
    },
  ),
  ssh: refused('map|list|text', 'keys of the one who builds are not part of a release'),
  labels: refused('map|list', 'write `LABEL` in the Dockerfile'),
  cache_from: cache,
  cache_to: cache,
  no_cache: dropped('text', 'the cache is keyed by content and never stale', off),
  pull: dropped('text', 'base images are pinned; `basalt build --update` looks for newer ones', off),
  additional_contexts: refused('map|list', 'a build sees one context: move what it needs into it'),
  network: refused('text', 'the builder chooses the network', { harmless: ['default'] }),
  shm_size: buildLimit,
  extra_hosts: refused('map|list', 'a build knows no hosts of its own'),
  isolation: dropped('text', 'a setting of Windows containers'),
  privileged: refused('text', 'a build has no privileges', off),
  entitlements: refused('list', 'a build has no privileges'),
  tags: dropped('list', 'an image is named by its digest'),
  ulimits: refused('map', 'a build has no such setting'),
  platforms: dropped('list', 'images are built for the machine of the target'),
}

export const portRules: KeyRules = {
  name: dropped('text', 'ports have no names'),
  mode: dropped('text', 'the router answers at every entry port'),
  host_ip: changed('text', 'a loopback address: not exposed; another: entry ports answer at every address'),
  target: carried('text', '`port`'),
  published: carried('text', 'the entry port: `ingress`, `expose.listen` or `expose.tcp`'),
  protocol: changed('text', '`tcp` is kept, `udp` is refused: the router knows HTTP and TCP'),
  app_protocol: changed('text', '`http` decides that the port is HTTP'),
}

const bindOption = dropped('text', 'bind mounts are refused or become volumes')

export const mountRules: KeyRules = {
  type: changed('text', '`volume`: a volume; `tmpfs`: `writable`; `bind`: see docs; all else is refused'),
  source: carried('text', 'the volume’s name'),
  target: carried('text', 'the path'),
  read_only: changed('text', 'a volume has one writer; a reader is refused', off),
  consistency: dropped('text', 'Compose itself ignores it'),
  bind: dropped('map', 'bind mounts are refused or become volumes', {
    keys: {
      propagation: bindOption,
      create_host_path: bindOption,
      recursive: bindOption,
      selinux: bindOption,
    },
  }),
  volume: dropped('map', 'a volume has no settings', {
    keys: {
      labels: dropped('map|list', 'nothing looks for them here'),
      nocopy: dropped('text', 'a new volume is always empty'),
      subpath: refused('text', 'a volume is mounted as a whole'),
    },
  }),
  tmpfs: carried('map', '`writable`', {
    keys: {
      size: carried('text', '`writable[].size`'),
      mode: dropped('text', 'every user may write there'),
    },
  }),
  image: refused('map', 'one image an instance', {
    keys: { subpath: refused('text', 'one image an instance') },
  }),
}

export const healthRules: KeyRules = {
  test: changed(
    'text|list',
    '`health`: `curl` and `wget` become `http`, all else `command`; a shell only where it is needed',
  ),
  disable: changed('text', '`health: running`', off),
  interval: carried('text', '`health.interval`'),
  timeout: carried('text', '`health.timeout`'),
  retries: carried('text', '`health.retries`'),
  start_period: changed('text', '`health.start`: this and all retries together'),
  start_interval: dropped('text', '`interval` counts from the start'),
}

const oneSwitch = dropped('text', 'a release is switched at once, and back by `basalt rollback`')
const updateRules: KeyRules = {
  parallelism: oneSwitch,
  delay: oneSwitch,
  failure_action: dropped('text', 'a failed deployment always returns to what served before'),
  monitor: carried('text', '`environments.<name>.watch`, the longest of all services'),
  max_failure_ratio: oneSwitch,
  order: dropped('text', 'new instances always start first; stateful services stop first'),
}

const reserved = dropped('text', 'nothing is reserved; limits alone count')

export const deployRules: KeyRules = {
  mode: changed('text', '`global` is refused; a job is left out: an instance that ends is replaced', {
    harmless: ['replicated'],
  }),
  endpoint_mode: dropped('text', 'the router balances'),
  replicas: carried('text', '`replicas`; more than one with a volume is refused'),
  labels: carried('map|list', '`labels`'),
  rollback_config: dropped('map', 'a rollback is one switch', {
    keys: { ...updateRules, monitor: oneSwitch },
  }),
  update_config: dropped('map', 'a release is switched at once', { keys: updateRules }),
  resources: carried('map', '`limits`', {
    keys: {
      limits: carried('map', '`limits`', {
        keys: {
          cpus: carried('text', '`limits.cpus`'),
          memory: carried('text', '`limits.memory`'),
          pids: carried('text', '`limits.pids`'),
        },
      }),
      reservations: dropped('map', 'nothing is reserved; limits alone count', {
        keys: {
          cpus: reserved,
          memory: reserved,
          generic_resources: refused('list', 'instances get no devices', {
            keys: { discrete_resource_spec: refused('map', 'instances get no devices') },
          }),
          devices: refused('list', 'instances get no devices', {
            keys: {
              capabilities: refused('list', 'instances get no devices'),
              count: refused('text', 'instances get no devices'),
              device_ids: refused('list', 'instances get no devices'),
              driver: refused('text', 'instances get no devices'),
              options: refused('map|list', 'instances get no devices'),
            },
          }),
        },
      }),
    },
  }),
  restart_policy: dropped('map', 'an instance that ends is replaced', {
    keys: {
      condition: dropped('text', 'an instance that ends is replaced'),
      delay: dropped('text', 'an instance that ends is replaced'),
      max_attempts: dropped('text', 'an instance that ends is replaced'),
      window: dropped('text', 'an instance that ends is replaced'),
    },
  }),
  placement: refused('map', 'instances cannot be tied to machines', {
    keys: {
      constraints: refused('list', 'instances cannot be tied to machines'),
      preferences: refused('list', 'instances cannot be tied to machines', {
        keys: { spread: refused('text', 'instances cannot be tied to machines') },
      }),
      max_replicas_per_node: refused('text', 'instances cannot be tied to machines'),
    },
  }),
}

export const hookRules: KeyRules = {
  command: refused('text|list', 'there are no hooks'),
  user: refused('text', 'there are no hooks'),
  privileged: refused('text', 'there are no hooks'),
  working_dir: refused('text', 'there are no hooks'),
  environment: refused('map|list', 'there are no hooks'),
}
