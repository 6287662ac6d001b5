import * as z from 'zod'
import { hostPattern, urlPathPattern } from '../../core/address-patterns.ts'
import { defaults } from '../defaults.ts'
import { portNumber, text } from './scalars.ts'

const hostRule = 'a host name such as `shop.example.org`, or `"*"` for every host'
const host = text(hostRule, hostPattern)
const pathRule = '`/` or a path such as `/api`: letters, digits and `-._~@:+,=` between slashes'
const urlPath = text(pathRule, urlPathPattern)

const exposeBlock = z
  .strictObject(
    {
      host: host.optional().meta({
        description: 'The host name that requests must name; `*` is every host.',
        examples: ['shop.localhost'],
        default: defaults.expose.host,
      }),
      path: urlPath.optional().meta({
        description: 'The path prefix, matched on whole segments; the longest wins. It is not stripped.',
        examples: ['/api'],
        default: defaults.expose.path,
      }),
      port: portNumber.optional().meta({
        description: 'The service’s port; without it the first of that protocol.',
        examples: [8080],
      }),
      listen: portNumber.optional().meta({
        description: 'The entry port for HTTP, where it is not the environment’s `ingress`.',
        examples: [8443],
      }),
      tcp: portNumber.optional().meta({
        description:
          'Expose TCP instead of HTTP: the entry port. The service’s port must be declared as tcp.',
        examples: [5432],
      }),
    },
    { error: 'a block with `host`, `path` or `tcp`' },
  )
  .meta({ description: 'One way in: HTTP by host and path, or a TCP port.' })

const exposeShort = text(
  'a host with an optional path, such as `shop.localhost/api`, or a path such as `/api`',
  /^(?:\*|[A-Za-z0-9][A-Za-z0-9.-]*)?(?:\/[A-Za-z0-9._~@:+,=/-]*)?$/,
)

const oneExpose = z.union([exposeShort, exposeBlock], {
  error: 'a host such as `shop.localhost`, or a block with `host`, `path` or `tcp`',
})

export const exposeSchema = z.union([z.boolean(), exposeShort, exposeBlock, z.array(oneExpose)], {
  error: '`true`, a host such as `shop.localhost`, a block with `host`, `path` or `tcp`, or a list of these',
})

export type ExposeBlock = z.infer<typeof exposeBlock>
export type ExposeManifest = z.infer<typeof exposeSchema>
