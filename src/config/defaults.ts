/** What a manifest need not say, as it would be written. The schema documents these; the resolver applies them. */
export const defaults = {
  replicas: 1,
  protocol: 'http',
  health: { path: '/up', interval: '2s', timeout: '2s', start: '30s', retries: 3 },
  writableSize: '64M',
  limits: { pids: 512 },
  stop: { signal: 'SIGTERM', grace: '10s' },
  build: { suite: 'bookworm', workdir: '/', dockerfile: 'Dockerfile' },
  copy: { owner: '0:0' },
  expose: { host: '*', path: '/' },
  environment: { name: 'staging', target: 'local', ingress: 8080, warm: '10m', watch: '5s' },
} as const
