/** Shown in docs/manifest.md; the tests hold it to the parser. */
export const exampleManifest = `system: shop

services:
  web:
    build:
      base: debian:bookworm
      packages: [nodejs]
      copy:
        - { from: web, to: /app, ignore: ["*.test.js"] }
      workdir: /app
      entrypoint: [node, server.js]
      user: "1000:1000"
    port: 8080
    expose: shop.localhost
    replicas: 2
    health: /up
    needs: [api]
    env: { LOG_LEVEL: info }
    limits: { memory: 256M }

  api:
    build:
      base: debian:bookworm
      packages: [python3]
      copy: ["api:/app"]
      entrypoint: python3 /app/server.py
      user: "1000:1000"
    port: 8000
    needs: [cache]
    writable: [/tmp]

  cache:
    build:
      base: debian:bookworm
      packages: [redis-server]
      entrypoint: [redis-server, --dir, /data, --appendonly, "yes", --protected-mode, "no"]
    port: 6379/tcp
    health: { command: [redis-cli, ping], interval: 5s }
    stateful: true
    volumes: { data: /data }

environments:
  staging:
    ingress: 8080
    services:
      web: { replicas: 1, env: { LOG_LEVEL: debug } }
  production:
    ingress: 80
    warm: 30m
`
