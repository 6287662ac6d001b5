/**
 * Every error that Basalt can report, as data. `docs/errors.md` is generated from it.
 *
 * `kind` says who can mend it and decides the exit code: `user` (the input or the request), `environment`
 * (the machine, the network, another program), `bug` (ours).
 */
export type ErrorKind = 'user' | 'environment' | 'bug'

interface ErrorEntry {
  readonly kind: ErrorKind
  readonly summary: string
}

export const errorCatalogue = {
  'manifest.invalid': {
    kind: 'user',
    summary: 'basalt.yaml has mistakes; all of them are listed with their places',
  },
  'manifest.missing': { kind: 'user', summary: 'there is no basalt.yaml here' },
  'compose.invalid': {
    kind: 'user',
    summary: 'a Compose project has mistakes; all of them are listed with their places',
  },
  'compose.missing': { kind: 'user', summary: 'there is no such Compose file, or it cannot be read' },

  'build.failed': { kind: 'user', summary: 'an image could not be built from its recipe' },
  'build.package-unknown': { kind: 'user', summary: 'a package is in none of the configured Debian suites' },
  'build.package-unresolvable': {
    kind: 'user',
    summary: 'the dependencies of a package cannot be satisfied',
  },
  'build.path-escapes': { kind: 'user', summary: 'a copied path leads out of the folder of basalt.yaml' },
  'build.path-missing': { kind: 'user', summary: 'a copied path does not exist' },
  'build.entrypoint-missing': { kind: 'user', summary: 'the entrypoint is not in the image' },
  'build.lock-stale': {
    kind: 'user',
    summary: 'basalt.lock names packages that can no longer be fetched or do not fit the recipe',
  },
  'build.signature-invalid': {
    kind: 'environment',
    summary: 'a package index is not signed by a trusted key',
  },
  'build.hash-mismatch': { kind: 'environment', summary: 'fetched bytes do not have the expected SHA-256' },
  'network.unreachable': { kind: 'environment', summary: 'a server on the network could not be reached' },

  'image.unknown': { kind: 'user', summary: 'an image is not in the content store' },
  'image.invalid': {
    kind: 'user',
    summary: 'an image or layer is malformed or tries to write outside its root',
  },
  'image.reference-invalid': {
    kind: 'user',
    summary: 'a text does not name an image as [registry/]repository[:tag][@digest]',
  },
  'image.root-failed': {
    kind: 'environment',
    summary: 'the read-only root of an image could not be made or mounted',
  },
  'content.corrupt': { kind: 'environment', summary: 'stored bytes no longer match their digest' },

  'registry.unreachable': { kind: 'environment', summary: 'a registry of images could not be reached' },
  'registry.denied': { kind: 'user', summary: 'a registry refused the credentials, or access without any' },
  'registry.credentials-unusable': {
    kind: 'user',
    summary: "Docker's configuration or a credential helper gave nothing that a registry could be asked with",
  },
  'registry.image-unknown': { kind: 'user', summary: 'a registry has no image of that name' },
  'registry.push-refused': { kind: 'user', summary: 'a registry did not take what was pushed' },
  'registry.failed': { kind: 'environment', summary: 'a registry failed, or gave an answer without sense' },
  'registry.wrong-bytes': {
    kind: 'environment',
    summary:
      'a registry sent bytes that do not have the digest that they were asked for by; they are kept aside',
  },
  'registry.refused': {
    kind: 'user',
    summary: 'the registry in the server does not grant a request of its protocol',
  },
  'registry.settings-invalid': { kind: 'user', summary: 'the registry cannot serve as its settings say' },
  'registry.token-exists': { kind: 'user', summary: 'the registry has a token of that name already' },
  'registry.token-unknown': { kind: 'user', summary: 'the registry has no token of that name' },

  'release.unknown': { kind: 'user', summary: 'no release has that name or digest' },
  'release.ambiguous': { kind: 'user', summary: 'a digest prefix matches more than one release' },
  'release.archive-invalid': { kind: 'user', summary: 'a release archive is damaged or incomplete' },

  'environment.unknown': { kind: 'user', summary: 'no environment has that name' },
  'environment.ambiguous': { kind: 'user', summary: 'several environments exist and none was named' },
  'service.unknown': { kind: 'user', summary: 'the release has no service of that name' },
  'deployment.unknown': { kind: 'user', summary: 'no deployment has that id' },
  'deployment.in-progress': { kind: 'user', summary: 'another deployment of the environment is running' },
  'deployment.settled': {
    kind: 'user',
    summary: 'the deployment has switched for good and can no longer be aborted',
  },
  'deployment.failed': {
    kind: 'user',
    summary: 'the deployment did not succeed; the environment serves what it served before',
  },
  'deployment.aborted': { kind: 'user', summary: 'the deployment was aborted on request' },
  'rollback.impossible': { kind: 'user', summary: 'there is no earlier good generation to return to' },
  'route.conflict': {
    kind: 'user',
    summary: 'another environment already answers at that host, path or port',
  },

  'group.unhealthy': { kind: 'user', summary: 'instances of a group did not become healthy in time' },
  'group.died': { kind: 'user', summary: 'an instance of a group ended by itself' },
  'runtime.failed': { kind: 'environment', summary: 'the container runtime refused to start an instance' },
  'network.setup-failed': {
    kind: 'environment',
    summary: 'a network namespace, bridge or rule could not be made',
  },
  'network.rules-lost': {
    kind: 'environment',
    summary: 'another program removed firewall rules of Basalt, which were set again',
  },
  'network.forwarding-lost': {
    kind: 'environment',
    summary: 'another program turned IP forwarding off, which was turned on again',
  },
  'volume.in-use': { kind: 'environment', summary: 'a volume is still written by another instance' },

  'docker.unreachable': { kind: 'environment', summary: 'no Docker Engine of this machine answers' },
  'docker.forbidden': {
    kind: 'environment',
    summary: 'the server may not use the socket of the Docker Engine',
  },
  'docker.too-old': {
    kind: 'environment',
    summary: 'the Docker Engine does not speak the API that Basalt needs',
  },
  'docker.failed': { kind: 'environment', summary: 'the Docker Engine refused or failed at something' },

  'router.failed': { kind: 'environment', summary: 'HAProxy refused a command or is not running' },
  'router.restarted': {
    kind: 'environment',
    summary: 'HAProxy ended by itself or no longer answered, and another one was started in its place',
  },
  'router.full': { kind: 'environment', summary: 'the router has no free slot for another group' },
  'port.taken': {
    kind: 'environment',
    summary: 'another program listens on a port that an environment needs',
  },

  'host.tool-missing': { kind: 'environment', summary: 'a program that Basalt needs is not installed' },
  'host.not-root': { kind: 'user', summary: 'the server needs root' },
  'host.disk-full': { kind: 'environment', summary: 'no space is left on the disk of the state folder' },
  'host.home-invalid': { kind: 'user', summary: 'the state folder cannot be used' },

  'store.conflict': { kind: 'environment', summary: 'another writer appended to the stream first' },
  'store.unavailable': { kind: 'environment', summary: 'the store cannot be opened or written' },
  'store.locked': { kind: 'environment', summary: 'another process has the store open' },
  'store.newer-format': { kind: 'user', summary: 'the store was written by a newer Basalt' },
  'store.older-format': { kind: 'user', summary: 'the store has a format that this Basalt no longer reads' },
  'ledger.tampered': { kind: 'environment', summary: 'the ledger does not match its hashes' },

  'server.unreachable': { kind: 'environment', summary: 'no Basalt server answers on the socket' },
  'server.start-failed': { kind: 'environment', summary: 'the Basalt server did not start' },
  'server.already-running': { kind: 'user', summary: 'a server of this state folder runs already' },
  'server.forbidden': { kind: 'user', summary: 'this user may not talk to the Basalt server' },
  'server.version-mismatch': {
    kind: 'user',
    summary: 'the CLI and the server are of versions that do not understand each other',
  },
  'request.invalid': { kind: 'user', summary: 'a request or a command line argument is not valid' },
  'request.interrupted': { kind: 'user', summary: 'the command was interrupted' },

  'internal.bug': { kind: 'bug', summary: 'Basalt contradicts itself; please report it' },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCatalogue

export interface ErrorParts {
  /** Names the thing and the fact: "1 of 2 instances of web unhealthy after 30 s: GET /up gave 500". */
  readonly message: string
  /** What the reader can do, with the command that helps. */
  readonly remedy?: string
  /** Machine-readable facts; must be JSON. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** The one error type. Foreign errors are translated into it once, at a driver's border. */
export class BasaltError extends Error {
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly remedy: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.name = 'BasaltError'
    this.code = code
    this.kind = errorCatalogue[code].kind
    this.remedy = parts.remedy
    this.details = parts.details ?? {}
  }
}

/** The exit code of a command that ended with an error of this kind. 2 is left to `plan --exit-code`. */
export const exitCodes = { user: 1, environment: 3, bug: 70 } as const satisfies Record<ErrorKind, number>

/** For states that cannot be reached when the code is right. Stays on in production. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new BasaltError('internal.bug', {
      message,
      remedy: 'Please report this, with the output of `basalt doctor`.',
    })
}
