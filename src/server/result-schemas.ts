import * as z from 'zod'
import type { DeploymentId, Digest, EnvironmentId, GroupId, InstanceId } from '../core/ids.ts'
import type { Release } from '../core/release.ts'
import type {
  BuildResult,
  DeploymentEvent,
  DeploymentResult,
  DeploymentStarted,
  DiffResult,
  HistoryResult,
  ImportedImage,
  PlanResult,
  PulledImage,
  PushedImage,
  ReleaseList,
  ServiceLogLine,
  StatusResult,
  WireError,
} from '../engine/engine.ts'
import type { VerifiedHead } from '../store/store.ts'
import type { Health } from './protocol.ts'
import type { RegistryDocument, RegistryToken, RegistryTokens } from './registry-routes.ts'

/*
 * What the server answers, as schemas: for docs/api.md and for tests. The types of engine.ts are what the code
 * uses; the annotations below make the compiler refuse a schema that lacks one of their members.
 */

const id = <Id extends string>(): z.ZodType<Id> => z.string() as unknown as z.ZodType<Id>
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>
const count = z.number().int().nonnegative()
/** Milliseconds since the epoch. */
const instant = z.number()
const durationMs = z.number().nonnegative()
const details = z.record(z.string(), z.unknown())

const environment = id<EnvironmentId>()
const group = id<GroupId>()
const deployment = id<DeploymentId>()

export const releaseName = z.object({ name: z.string(), version: count, digest })
const releaseRef = z.object({ name: z.string(), digest })

const wireError: z.ZodType<WireError> = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string().nullable(),
  details,
})

const planMembers = {
  environment,
  from: releaseName.nullable(),
  to: releaseName,
  empty: z.boolean(),
  changes: z.array(
    z.object({
      service: z.string(),
      action: z.enum(['start', 'keep', 'stop', 'replace', 'scale']),
      group: group.nullable(),
      replaces: group.nullable(),
      replicas: count,
      warm: z.boolean(),
      why: z.array(z.string()),
    }),
  ),
  steps: z.array(
    z.object({
      kind: z.enum(['start', 'route', 'drain', 'stop']),
      service: z.string().nullable(),
      group: group.nullable(),
      text: z.string(),
    }),
  ),
  warnings: z.array(z.string()),
}
const planResult: z.ZodType<PlanResult> = z.object(planMembers)

const build: z.ZodType<BuildResult> = z.object({
  schema: z.literal('basalt.build/v1'),
  release: releaseName,
  created: z.boolean(),
  dirty: z.boolean(),
  images: z.array(
    z.object({
      service: z.string(),
      image: digest,
      cached: z.boolean(),
      sizeBytes: count,
      durationMs,
      /** Null where Basalt made it itself, or nobody had to. */
      made: z
        .object({
          program: z.string(),
          version: z.string(),
          grade: z.enum(['bit-reproducible', 'inputs pinned', 'recorded only']),
          reasons: z.array(z.string()),
          log: digest,
        })
        .nullable(),
      output: z.string().nullable().describe('What the program printed, where that was asked for.'),
    }),
  ),
  pins: z
    .array(z.object({ reference: z.string(), digest, previous: digest.nullable() }))
    .describe('Which digests the images have that basalt.yaml names by tag.'),
  durationMs,
})

const plan: z.ZodType<PlanResult> = z.object({ schema: z.literal('basalt.plan/v1'), ...planMembers })

const started: z.ZodType<DeploymentStarted> = z.object({
  schema: z.literal('basalt.deployment-started/v1'),
  deployment: deployment.nullable(),
  plan: planResult,
})

/** `deployment` is null only in what the CLI prints for a deployment that had nothing to do. */
const deploymentResult: z.ZodType<Omit<DeploymentResult, 'deployment'>> = z.object({
  schema: z.literal('basalt.deployment/v1'),
  deployment: deployment.nullable(),
  kind: z.enum(['deploy', 'rollback', 'down']),
  environment,
  release: releaseRef.nullable(),
  previous: releaseRef.nullable(),
  generation: count,
  outcome: z.enum(['succeeded', 'failed', 'aborted', 'unchanged']),
  groups: z.object({ started: z.array(group), kept: z.array(group), stopped: z.array(group) }),
  requests: z.object({ total: count, failed: count }),
  durationMs,
  switchMs: z.number().nullable(),
  error: wireError.nullable(),
})

const deploymentEvent: z.ZodType<DeploymentEvent> = z.object({
  schema: z.literal('basalt.deployment-event/v1'),
  at: instant,
  code: z.string(),
  message: z.string(),
  data: details.exactOptional(),
})

const requestFigures = z.object({
  requests: count,
  failed: count.describe('Answers 5xx, and connections that got none.'),
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
})

const status: z.ZodType<StatusResult> = z.object({
  schema: z.literal('basalt.status/v1'),
  environments: z.array(
    z.object({
      name: environment,
      target: z.string(),
      state: z.enum(['serving', 'degraded', 'deploying', 'down']),
      release: releaseRef.nullable(),
      generation: count.nullable(),
      endpoints: z.array(z.string()),
      services: z.array(
        z.object({
          name: z.string(),
          group,
          image: digest,
          desired: count,
          healthy: count,
          problems: z.array(z.string()),
          traffic: requestFigures.nullable(),
        }),
      ),
      traffic: requestFigures.nullable(),
      warm: z.object({ generation: count, release: z.string(), until: instant }).nullable(),
      drift: z.array(z.string()),
      deployment: deployment.nullable(),
    }),
  ),
})

const history: z.ZodType<HistoryResult> = z.object({
  schema: z.literal('basalt.history/v1'),
  attempts: z.array(
    z.object({
      deployment,
      environment,
      kind: z.enum(['deploy', 'rollback', 'down']),
      actor: z.string(),
      reason: z.string().nullable(),
      at: instant,
      from: z.string().nullable(),
      to: z.string().nullable(),
      outcome: z.enum(['running', 'succeeded', 'failed', 'aborted', 'refused']),
      durationMs: durationMs.nullable(),
      error: wireError.nullable(),
    }),
  ),
})

const releases: z.ZodType<ReleaseList> = z.object({
  schema: z.literal('basalt.releases/v1'),
  releases: z.array(
    z.object({
      release: releaseName,
      at: instant,
      actor: z.string(),
      revision: z.string().nullable(),
      dirty: z.boolean(),
      environments: z.array(environment),
    }),
  ),
})

const imagesImported: z.ZodType<{ readonly images: readonly ImportedImage[] }> = z.object({
  schema: z.literal('basalt.image-imported/v1'),
  images: z.array(
    z.object({ image: digest, name: z.string().nullable(), platform: z.string(), sizeBytes: count }),
  ),
})

const imagePulled: z.ZodType<PulledImage> = z.object({
  schema: z.literal('basalt.image-pulled/v1'),
  reference: z.string(),
  digest,
  image: digest,
  platform: z.string(),
  sizeBytes: count,
  fetchedBytes: count,
})

const imagePushed: z.ZodType<PushedImage> = z.object({
  schema: z.literal('basalt.image-pushed/v1'),
  reference: z.string(),
  digest,
  release: z.string().nullable(),
  blobs: z.object({ present: count, mounted: count, sent: count }),
  sentBytes: count,
})

/** A release document, `basalt.release/v1`. */
const document = details as unknown as z.ZodType<Release>
const diff: z.ZodType<DiffResult> = z.object({
  schema: z.literal('basalt.diff/v1'),
  from: releaseName,
  to: releaseName,
  changes: z.array(z.object({ path: z.string(), from: z.unknown().optional(), to: z.unknown().optional() })),
  documents: z.object({ from: document, to: document }),
})

const logLine: z.ZodType<ServiceLogLine> = z.object({
  schema: z.literal('basalt.log-line/v1'),
  at: instant.nullable(),
  text: z.string(),
  service: z.string(),
  instance: id<InstanceId>(),
})

const rootHash = z.string().regex(/^[0-9a-f]{64}$/)
const ledgerHead: z.ZodType<VerifiedHead> = z.object({
  schema: z.literal('basalt.ledger-head/v1'),
  size: count,
  rootHash,
  /** The head of `--from`, and the proof of RFC 6962, section 2.1.2, that the ledger continues it. */
  continues: z.object({ size: count, rootHash, proof: z.array(rootHash) }).nullable(),
})

const health: z.ZodType<Health> = z.object({
  schema: z.literal('basalt.health/v1'),
  version: z.string(),
  api: z.object({ oldest: count, newest: count }),
  pid: count,
  startedAt: instant,
  home: z.string(),
  memoryBytes: count,
  registry: z.object({ url: z.string().nullable(), problem: z.string().nullable() }).nullable(),
})

const registry: z.ZodType<RegistryDocument> = z.object({
  schema: z.literal('basalt.registry/v1'),
  enabled: z.boolean(),
  listen: z.string().nullable(),
  url: z.string().nullable().describe('Where it answers now.'),
  problem: z.string().nullable().describe('Why it does not answer although it should.'),
  certificate: z.string().nullable(),
  anonymousPull: z.boolean().nullable(),
})
const registryToken = z.object({
  name: z.string(),
  scope: z.enum(['pull', 'push', 'delete']),
  createdAt: instant,
  createdBy: z.string(),
})

const error: z.ZodType<WireError> = z.object({
  schema: z.literal('basalt.error/v1'),
  code: z.string(),
  message: z.string(),
  remedy: z.string().nullable(),
  details,
})

/** Every document that the server answers with, by its `schema`. Items of a stream get theirs from the CLI. */
export const resultSchemas: Readonly<Record<string, z.ZodType>> = {
  'basalt.health/v1': health,
  'basalt.build/v1': build,
  'basalt.plan/v1': plan,
  'basalt.deployment-started/v1': started,
  'basalt.deployment/v1': deploymentResult,
  'basalt.deployment-event/v1': deploymentEvent,
  'basalt.abort/v1': z.object({ schema: z.literal('basalt.abort/v1'), deployment }),
  'basalt.status/v1': status,
  'basalt.history/v1': history,
  'basalt.releases/v1': releases,
  'basalt.release-imported/v1': z.object({
    schema: z.literal('basalt.release-imported/v1'),
    release: releaseName,
  }),
  'basalt.image-imported/v1': imagesImported,
  'basalt.image-pulled/v1': imagePulled,
  'basalt.image-pushed/v1': imagePushed,
  'basalt.diff/v1': diff,
  'basalt.log-line/v1': logLine,
  'basalt.ledger-head/v1': ledgerHead,
  'basalt.registry/v1': registry,
  'basalt.registry-token/v1': registryToken.extend({
    schema: z.literal('basalt.registry-token/v1'),
    secret: z.string(),
  }) satisfies z.ZodType<RegistryToken>,
  'basalt.registry-tokens/v1': z.object({
    schema: z.literal('basalt.registry-tokens/v1'),
    tokens: z.array(registryToken),
  }) satisfies z.ZodType<RegistryTokens>,
  'basalt.error/v1': error,
}
