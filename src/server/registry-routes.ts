import type { Registry, RegistryStatus } from '../images/registry/server/open-registry.ts'
import { noInput, registryEnableBody, registryGrantBody, registryRevokeParams } from './requests.ts'
import { defineRoute, type Route } from './route.ts'

/** Schema `basalt.registry/v1`. */
export interface RegistryDocument {
  readonly enabled: boolean
  readonly listen: string | null
  readonly url: string | null
  readonly problem: string | null
  readonly certificate: string | null
  readonly anonymousPull: boolean | null
}

/** Schema `basalt.registry-tokens/v1`. */
export interface RegistryTokens {
  readonly tokens: Awaited<ReturnType<Registry['tokens']>>
}

/** Schema `basalt.registry-token/v1`. */
export type RegistryToken = Awaited<ReturnType<Registry['grant']>>

const documentOf = ({ settings, url, problem }: RegistryStatus): RegistryDocument => ({
  enabled: settings !== null,
  listen: settings?.listen ?? null,
  url,
  problem,
  certificate: settings?.tls?.certificate ?? null,
  anonymousPull: settings?.anonymousPull ?? null,
})

export const registryRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/registry',
    summary: 'Whether the registry is served, and where.',
    input: noInput,
    answer: 'result',
    schema: 'basalt.registry/v1',
    handle: async (_input, { registry }) => documentOf(registry.status()),
  }),
  defineRoute({
    method: 'POST',
    path: '/registry/enable',
    summary: 'Serves the registry, now and after every restart.',
    input: registryEnableBody,
    answer: 'result',
    schema: 'basalt.registry/v1',
    handle: async (settings, { registry }) => documentOf(await registry.enable(settings)),
  }),
  defineRoute({
    method: 'POST',
    path: '/registry/disable',
    summary: 'Serves the registry no more; what it holds stays.',
    input: noInput,
    answer: 'result',
    schema: 'basalt.registry/v1',
    handle: async (_input, { registry }) => documentOf(await registry.disable()),
  }),
  defineRoute({
    method: 'GET',
    path: '/registry/tokens',
    summary: 'Who may use the registry; not the tokens themselves.',
    input: noInput,
    answer: 'result',
    schema: 'basalt.registry-tokens/v1',
    handle: async (_input, { registry }) => ({ tokens: await registry.tokens() }),
  }),
  defineRoute({
    method: 'POST',
    path: '/registry/tokens',
    summary: 'Makes a token; nobody can ask for its secret again.',
    input: registryGrantBody,
    answer: 'result',
    schema: 'basalt.registry-token/v1',
    handle: async (input, call) => call.registry.grant({ ...input, createdBy: (await call.actor()).name }),
  }),
  defineRoute({
    method: 'POST',
    path: '/registry/tokens/:name/revoke',
    summary: 'Takes a token back; what was signed with it is void too.',
    input: registryRevokeParams,
    answer: 'result',
    schema: 'basalt.registry-tokens/v1',
    handle: async ({ name }, { registry }) => {
      await registry.revoke(name)
      return { tokens: await registry.tokens() }
    },
  }),
]
