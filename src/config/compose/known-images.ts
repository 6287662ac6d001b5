/** What is known of widely used images: their documentation says so, and no Compose file repeats it. */
export interface KnownImage {
  /** Null: it has none; undefined: not known. */
  readonly entrypoint?: readonly string[] | null
  /** Where it writes beside its volumes. */
  readonly writable?: readonly string[]
  /** What its entrypoint needs to give up root. */
  readonly capabilities?: readonly string[]
}

interface KnownEntry extends KnownImage {
  readonly names: string
  readonly port?: number
  readonly isHttp?: boolean
}

/** An entrypoint that begins as root, takes over its data folder and goes on as another user. */
const stepsDown = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID']
const script = ['docker-entrypoint.sh']

const entries: readonly KnownEntry[] = [
  {
    names: 'postgres postgis/postgis timescale/timescaledb pgvector/pgvector',
    port: 5432,
    entrypoint: script,
    writable: ['/var/run/postgresql'],
    capabilities: stepsDown,
  },
  {
    names: 'mysql percona',
    port: 3306,
    entrypoint: script,
    writable: ['/var/run/mysqld'],
    capabilities: stepsDown,
  },
  { names: 'mariadb', port: 3306, entrypoint: script, writable: ['/run/mysqld'], capabilities: stepsDown },
  { names: 'redis valkey/valkey', port: 6379, entrypoint: script, capabilities: ['SETGID', 'SETUID'] },
  { names: 'mongo', port: 27_017, entrypoint: script, capabilities: stepsDown },
  { names: 'memcached', port: 11_211, entrypoint: script },
  { names: 'rabbitmq', port: 5672, entrypoint: script, capabilities: stepsDown },
  { names: 'nats', port: 4222, entrypoint: script },
  { names: 'elasticsearch opensearchproject/opensearch', port: 9200, isHttp: true },
  {
    names: 'nginx',
    port: 80,
    isHttp: true,
    entrypoint: ['/docker-entrypoint.sh'],
    writable: ['/var/cache/nginx', '/run'],
    capabilities: ['CHOWN', 'NET_BIND_SERVICE', 'SETGID', 'SETUID'],
  },
  {
    names: 'httpd',
    port: 80,
    isHttp: true,
    entrypoint: null,
    writable: ['/usr/local/apache2/logs'],
    capabilities: ['NET_BIND_SERVICE', 'SETGID', 'SETUID'],
  },
  { names: 'caddy', port: 80, isHttp: true, entrypoint: null, capabilities: ['NET_BIND_SERVICE'] },
  {
    names: 'traefik',
    port: 80,
    isHttp: true,
    entrypoint: ['/entrypoint.sh'],
    capabilities: ['NET_BIND_SERVICE'],
  },
  {
    names: 'wordpress nextcloud',
    port: 80,
    isHttp: true,
    writable: ['/run'],
    capabilities: [...stepsDown, 'NET_BIND_SERVICE'],
  },
  { names: 'ghost', port: 2368, isHttp: true, entrypoint: script },
  {
    names: 'gitea/gitea',
    port: 3000,
    isHttp: true,
    entrypoint: ['/usr/bin/entrypoint'],
    capabilities: stepsDown,
  },
  { names: 'prom/prometheus', port: 9090, isHttp: true, entrypoint: ['/bin/prometheus'] },
  { names: 'prom/alertmanager', port: 9093, isHttp: true, entrypoint: ['/bin/alertmanager'] },
  { names: 'prom/node-exporter', port: 9100, isHttp: true, entrypoint: ['/bin/node_exporter'] },
  { names: 'grafana/grafana', port: 3000, isHttp: true, entrypoint: ['/run.sh'] },
  { names: 'grafana/loki', port: 3100, isHttp: true, entrypoint: ['/usr/bin/loki'] },
  { names: 'minio/minio', port: 9000, isHttp: true, entrypoint: ['/usr/bin/docker-entrypoint.sh'] },
  { names: 'adminer', port: 8080, isHttp: true },
  { names: 'node', entrypoint: script },
  {
    names: 'python ruby golang openjdk eclipse-temurin php debian ubuntu alpine busybox',
    entrypoint: null,
  },
]

const byName = new Map(
  entries.flatMap((entry) => entry.names.split(' ').map((name) => [name, entry] as const)),
)

/** By reference, `docker.io/library/postgres:16`; undefined for what is not known. */
export function knownImage(reference: string): KnownEntry | undefined {
  const repository = reference
    .replace(/@.*$/, '')
    .replace(/:[^/]*$/, '')
    .replace(/^(?:index\.)?docker\.io\//, '')
    .replace(/^library\//, '')
  return byName.get(repository)
}
