import type { Digest } from '../core/ids.ts'
import { isDigest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'

/** Where an image is: in a repository of a registry, under a tag, a digest, or both. */
export interface ImageReference {
  /** Host with its port, as written: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string
  /** `library/nginx`. */
  readonly repository: string
  readonly tag: string | null
  /** Decides where it is there; the tag is then no more than a note. */
  readonly digest: Digest | null
}

/** Where a reference leads that names no registry, as for Docker. */
const defaultRegistry = 'docker.io'
/** Old names of the default registry, which Docker still takes. */
const formerDefault = 'index.docker.io'
/** The folder of Docker Hub's own images, left out by people. */
const officialFolder = 'library/'
const defaultTag = 'latest'

/** The grammar of distribution/reference (reference.go and regexp.go), anchored. */
const tagPattern = /^\w[\w.-]{0,127}$/
const pathPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/
const domainLabel = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const registryPattern = new RegExp(
  `^(?:${domainLabel}(?:\\.${domainLabel})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`,
)
/** Docker takes such a name for the id of a local image. */
const imageIdPattern = /^[a-f0-9]{64}$/
/** Of registry and repository together, with the slash between them. */
const maxNameLength = 255

/**
 * Reads `[registry/]repository[:tag][@digest]` with the defaults of Docker: `docker.io`, `library/` and, where neither
 * tag nor digest is given, `latest`. Throws `image.reference-invalid`.
 */
export function parseReference(text: string): ImageReference {
  const refuse = (reason: string): BasaltError => invalidReference(text, reason)
  const [named, digest] = splitOnce(text, text.indexOf('@'))
  if (digest !== null && !isDigest(digest))
    throw refuse('its digest must be sha256: and 64 lower-case hex digits')
  // A colon before the last slash belongs to the registry's port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const [name, tag] = splitOnce(named, colon)
  if (tag !== null && !tagPattern.test(tag))
    throw refuse(
      'its tag must have 1 to 128 letters, digits, _, . and -, and start with none of the last two',
    )
  if (imageIdPattern.test(name)) throw refuse('64 hex digits are the id of an image, not its name')

  const { registry, repository } = splitName(name)
  if (!registryPattern.test(registry)) throw refuse(`"${registry}" is no host name with a port`)
  if (!pathPattern.test(repository)) throw refuse(repositoryMistake(repository))
  if (registry.length + 1 + repository.length > maxNameLength)
    throw refuse(`its name is longer than ${maxNameLength} characters`)
  return { registry, repository, tag: tag ?? (digest === null ? defaultTag : null), digest }
}

/** In full: `docker.io/library/nginx:1.25`. Read by `parseReference`, it gives the same reference. */
export const formatReference = ({ registry, repository, tag, digest }: ImageReference): string =>
  `${registry}/${repository}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`

/** Docker's rule: what stands before the first slash is a registry where it looks like a host, not like a folder. */
function splitName(name: string): { readonly registry: string; readonly repository: string } {
  const [first, rest] = splitOnce(name, name.indexOf('/'))
  const namesRegistry =
    rest !== null && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first)
  const registry = namesRegistry && first !== formerDefault ? first : defaultRegistry
  const repository = namesRegistry ? rest : name
  const isOfficial = registry === defaultRegistry && !repository.includes('/')
  return { registry, repository: isOfficial ? officialFolder + repository : repository }
}

function repositoryMistake(repository: string): string {
  if (repository === '' || repository === officialFolder) return 'it names no repository'
  if (/[A-Z]/.test(repository)) return 'its repository must be in lower case'
  return `"${repository}" is no repository: lower-case letters and digits, between them single . _ or - and /`
}

const splitOnce = (text: string, index: number): readonly [string, string | null] =>
  index < 0 ? [text, null] : [text.slice(0, index), text.slice(index + 1)]

const invalidReference = (text: string, reason: string): BasaltError =>
  new BasaltError('image.reference-invalid', {
    message: `"${text}" is no image reference: ${reason}`,
    remedy: 'Write [registry/]repository[:tag][@digest], for example registry.example.com/team/web:1.25.',
    details: { reference: text },
  })
