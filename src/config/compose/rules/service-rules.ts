import { carried, changed, dropped, type KeyRule, type KeyRules, off, refused } from './key-rule.ts'
import {
  buildRules,
  deployRules,
  healthRules,
  hookRules,
  mountRules,
  portRules,
} from './service-block-rules.ts'

const hostShares = 'an instance shares nothing with the machine or with other instances'
const kernel = 'an instance has the limits of `limits` and no other settings of the kernel'
const devices = 'instances get no devices of the machine'
const names = 'a service is found by its own name, and an instance has none'
const resolver = 'names lead to services of the same release; the target decides about the rest'

const fileReference = (text: string, shapes = 'list'): KeyRule =>
  refused(shapes, text, {
    keys: {
      source: refused('text', text),
      target: refused('text', text),
      uid: refused('text', text),
      gid: refused('text', text),
      mode: refused('text', text),
    },
  })

const develop: KeyRules = {
  watch: dropped('list', 'for development; a release is built as a whole', {
    keys: {
      path: dropped('text', 'for development'),
      action: dropped('text', 'for development'),
      target: dropped('text', 'for development'),
      ignore: dropped('text|list', 'for development'),
      include: dropped('text|list', 'for development'),
      exec: dropped('map', 'for development', { keys: hookRules }),
    },
  }),
}

const attachedNetwork: KeyRules = {
  aliases: refused('list', names),
  interface_name: dropped('text', 'the target makes the network'),
  ipv4_address: refused('text', 'addresses are the target’s; use names'),
  ipv6_address: refused('text', 'addresses are the target’s; use names'),
  link_local_ips: refused('list', 'addresses are the target’s; use names'),
  mac_address: refused('text', 'addresses are the target’s; use names'),
  driver_opts: dropped('map', 'the target makes the network'),
  priority: dropped('text', 'there is one network'),
  gw_priority: dropped('text', 'there is one network'),
}

const imageKeys: KeyRules = {
  build: carried('text|map', '`build`', { keys: buildRules }),
  image: carried('text', '`image`; beside `build` it is dropped'),
  platform: dropped('text', 'images are those of the machine of the target'),
  pull_policy: dropped('text', 'an image is pinned by digest in basalt.lock'),
  pull_refresh_after: dropped('text', 'an image is pinned by digest in basalt.lock'),
  command: changed(
    'text|list',
    '`command`, with the entrypoint in front of it: there is one list, and it replaces both of the image’s',
  ),
  entrypoint: changed('text|list', '`command`, with the arguments of `command` behind it'),
  working_dir: refused('text', 'write `WORKDIR` in the Dockerfile'),
  user: carried('text', '`user`; a group’s name is dropped'),
  environment: carried('map|list', '`env`; secrets are left out'),
  env_file: changed('text|list', '`env`: the files are read once; secrets are left out', {
    keys: {
      path: carried('text', 'the file that is read'),
      format: carried('text', '`raw`: neither quotes nor variables count'),
      required: carried('text', '`false`: the file may be absent'),
    },
  }),
  labels: carried('map|list', '`labels`'),
  label_file: refused('text|list', 'write the labels into `labels`'),
  annotations: refused('map|list', 'write them into `labels`'),
}

const trafficKeys: KeyRules = {
  ports: changed(
    'list',
    '`port` or `ports`, and `expose` with the published port as entry port; the first HTTP one is the environment’s `ingress`',
    { keys: portRules },
  ),
  expose: carried('list', '`port` or `ports`'),
  depends_on: carried('list|map', '`needs`', {
    named: true,
    keys: {
      condition: changed(
        'text',
        'a needed service is always healthy first; with `service_completed_successfully` it is a job, which is left out',
      ),
      restart: dropped('text', 'a change of a needed service replaces this one too', off),
      required: carried('text', '`false`: the service may be absent'),
    },
  }),
  links: changed('list', '`needs`; aliases are refused'),
  external_links: refused('list', 'a system reaches nothing outside but by what is exposed'),
  networks: dropped('list|map', '`needs` says which services reach each other', {
    named: true,
    keys: attachedNetwork,
  }),
  network_mode: refused('text', hostShares, { harmless: ['bridge', 'default'] }),
  hostname: dropped('text', names),
  domainname: dropped('text', names),
  container_name: dropped('text', names),
  mac_address: refused('text', 'addresses are the target’s; use names'),
  extra_hosts: refused('list|map', resolver),
  dns: refused('text|list', resolver),
  dns_opt: refused('list', resolver),
  dns_search: refused('text|list', resolver),
  healthcheck: changed('map', '`health`', { keys: healthRules }),
}

const storageKeys: KeyRules = {
  volumes: changed(
    'list',
    'named ones: `volumes` and `stateful: true`; anonymous ones: `writable`; bind mounts of data: a volume, of anything else: refused',
    { keys: mountRules },
  ),
  volumes_from: refused('list', 'a volume has one writer'),
  tmpfs: carried('text|list', '`writable`'),
  shm_size: changed('text', '`writable` at /dev/shm'),
  read_only: carried('text', 'always so; without it /tmp is added to `writable`', off),
  configs: fileReference('files come with the image: `COPY` them in its Dockerfile'),
  secrets: fileReference('secrets come with a later version'),
  storage_opt: refused('map', 'the root is read-only; `writable` has sizes'),
}

const blockDeviceKeys = [
  'device_read_bps',
  'device_read_iops',
  'device_write_bps',
  'device_write_iops',
  'weight_device',
]
const blockDevice: KeyRules = {
  path: refused('text', kernel),
  rate: refused('text', kernel),
  weight: refused('text', kernel),
}

const processKeys: KeyRules = {
  deploy: carried('map', '`replicas`, `limits`, `labels`', { keys: deployRules }),
  scale: carried('text', '`replicas`'),
  cpus: carried('text', '`limits.cpus`'),
  mem_limit: carried('text', '`limits.memory`'),
  pids_limit: carried('text', '`limits.pids`'),
  cpu_quota: changed('text', '`limits.cpus`, together with `cpu_period`'),
  cpu_period: changed('text', '`limits.cpus`, together with `cpu_quota`'),
  cpu_count: refused('text', kernel),
  cpu_percent: refused('text', kernel),
  cpu_shares: dropped('text', 'nothing is reserved; limits alone count'),
  cpu_rt_period: refused('text', kernel),
  cpu_rt_runtime: refused('text', kernel),
  cpuset: refused('text', kernel),
  blkio_config: refused('map', kernel, {
    keys: {
      weight: refused('text', kernel),
      ...Object.fromEntries(
        blockDeviceKeys.map((key) => [key, refused('list', kernel, { keys: blockDevice })]),
      ),
    },
  }),
  mem_reservation: dropped('text', 'nothing is reserved; limits alone count'),
  mem_swappiness: dropped('text', kernel),
  memswap_limit: dropped('text', kernel),
  oom_kill_disable: refused('text', kernel, off),
  oom_score_adj: dropped('text', kernel),
  ulimits: refused('map', kernel),
  sysctls: refused('map|list', kernel),
  cap_add: carried('list', '`capabilities`; `ALL` is refused'),
  cap_drop: dropped('list', 'an instance has no capability that is not named'),
  privileged: refused('text', 'name what it needs in `capabilities`', off),
  security_opt: refused('list', 'every instance has the same confinement', {
    harmless: ['no-new-privileges:true', 'no-new-privileges=true', 'no-new-privileges'],
  }),
  devices: refused('list', devices, {
    keys: {
      source: refused('text', devices),
      target: refused('text', devices),
      permissions: refused('text', devices),
    },
  }),
  device_cgroup_rules: refused('list', devices),
  gpus: refused('text|list', devices, {
    keys: {
      capabilities: refused('list', devices),
      count: refused('text', devices),
      device_ids: refused('list', devices),
      driver: refused('text', devices),
      options: refused('map|list', devices),
    },
  }),
  group_add: refused('list', 'a process has the groups of its user'),
  pid: refused('text', hostShares),
  ipc: refused('text', hostShares, { harmless: ['private', 'none', 'shareable'] }),
  uts: refused('text', hostShares),
  userns_mode: refused('text', hostShares),
  cgroup: refused('text', hostShares, { harmless: ['private'] }),
  cgroup_parent: dropped('text', 'the target places instances'),
  runtime: dropped('text', 'the target chooses the runtime'),
  isolation: dropped('text', 'a setting of Windows containers'),
  credential_spec: refused('map', 'a setting of Windows containers', {
    keys: {
      config: refused('text', 'a setting of Windows containers'),
      file: refused('text', 'a setting of Windows containers'),
      registry: refused('text', 'a setting of Windows containers'),
    },
  }),
  init: refused('text', 'the program is process 1: put for example tini in front of it in the image', off),
  stop_signal: carried('text', '`stop.signal`'),
  stop_grace_period: carried('text', '`stop.grace`'),
  restart: dropped('text', 'an instance that ends is replaced'),
  post_start: refused('list', 'there are no hooks', { keys: hookRules }),
  pre_stop: refused('list', 'there are no hooks', { keys: hookRules }),
  stdin_open: dropped('text', 'nothing is attached to an instance', off),
  tty: dropped('text', 'nothing is attached to an instance', off),
  attach: dropped('text', '`basalt logs` shows every service'),
  logging: dropped('map', '`basalt logs` keeps and rotates the output of every instance', {
    keys: {
      driver: dropped('text', 'as `logging`'),
      options: dropped('map', 'as `logging`'),
    },
  }),
  use_api_socket: refused('text', 'whoever has the Engine’s socket is root of the machine', off),
}

/** The keys of a service. */
export const serviceRules: KeyRules = {
  extends: carried('text|map', 'what the other service says is written into this one', {
    keys: {
      service: carried('text', 'the service that is read'),
      file: carried('text', 'the file that is read'),
    },
  }),
  profiles: changed('list', 'a service of profiles is left out, unless COMPOSE_PROFILES names one of them'),
  ...imageKeys,
  ...trafficKeys,
  ...storageKeys,
  ...processKeys,
  develop: dropped('map', 'for development; a release is built as a whole', { keys: develop }),
  provider: refused('map', 'the service is not run by Compose either, and is left out', {
    keys: {
      type: refused('text', 'the service is left out'),
      options: refused('map', 'the service is left out'),
    },
  }),
  models: refused('list|map', 'language models are not run', {
    named: true,
    keys: { endpoint_var: refused('text', 'language models are not run') },
  }),
}
