import { createHash } from 'node:crypto'
import type { Digest, ImageDigest } from '../../core/ids.ts'
import type { LockedPackage } from '../package-lock.ts'
import type { Attachment } from '../referrer.ts'
import type { ImageParts } from './image-parts.ts'

const mediaType = 'application/vnd.cyclonedx+json'
/** CycloneDX wants one. An image has none, and the service that it is built for first is chance. */
const name = 'image'

/**
 * The software bill of materials: every Debian package with its version and the SHA-256 of its archive (CycloneDX 1.6).
 * An image that it is built upon is one component, and the bill then says that it is incomplete.
 * What was copied is in the provenance, by revision. No wall clock and no service: equal images have equal bills.
 */
export function softwareBill(parts: ImageParts, image: ImageDigest, created: string): Attachment {
  const { base } = parts.recipe
  const self = container(image)
  const below = base.kind === 'image' ? [container(base.digest)] : []
  const components = [...below, ...parts.packages.map((item) => component(item))]
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(image)}`,
    version: 1,
    metadata: {
      timestamp: created,
      tools: {
        components: [
          {
            type: 'application',
            name: `basalt ${parts.builder.name} builder`,
            version: parts.builder.version,
          },
        ],
      },
      component: self,
    },
    components,
    dependencies: [{ ref: self['bom-ref'], dependsOn: components.map((item) => item['bom-ref']) }],
    // What is in an image that was built elsewhere only its own bill can tell.
    ...(below.length === 0
      ? {}
      : {
          compositions: [
            { aggregate: 'incomplete', assemblies: [self, ...below].map((item) => item['bom-ref']) },
          ],
        }),
  }
  return { mediaType, document, annotations: { 'org.basalt.attachment': 'sbom' } }
}

function container(image: Digest) {
  const purl = `pkg:oci/${name}@${encodeURIComponent(image)}`
  return {
    type: 'container',
    'bom-ref': purl,
    name,
    version: image,
    purl,
    hashes: [{ alg: 'SHA-256', content: image.slice('sha256:'.length) }],
  }
}

function component(item: LockedPackage) {
  const purl = packageUrl(item)
  return {
    type: 'library',
    'bom-ref': purl,
    name: item.name,
    version: item.version,
    purl,
    hashes: [{ alg: 'SHA-256', content: item.sha256 }],
  }
}

/** package-url, type `deb`: https://github.com/package-url/purl-spec */
export const packageUrl = ({ name, version, architecture, suite }: LockedPackage): string => {
  const distribution = suite.split('-')[0] ?? suite
  const qualifiers = `arch=${architecture}&distro=${distribution}`
  return `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?${qualifiers}`
}

/** A version 8 UUID (RFC 9562) made of the image's digest. */
function uuidOf(image: ImageDigest): string {
  const hex = createHash('sha256').update(`sbom of ${image}`).digest('hex')
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}
