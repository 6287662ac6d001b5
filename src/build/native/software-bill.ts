import { createHash } from 'node:crypto'
import type { ImageDigest } from '../../core/ids.ts'
import type { LockedPackage } from '../package-lock.ts'
import type { ImageParts } from './image-parts.ts'
import type { Attachment } from './referrer.ts'

const mediaType = 'application/vnd.cyclonedx+json'

/**
 * The software bill of materials: every Debian package with its version and the SHA-256 of its archive (CycloneDX 1.6).
 * What was copied is in the provenance, by revision. No wall clock: equal images have equal bills.
 */
export function softwareBill(parts: ImageParts, image: ImageDigest, created: string): Attachment {
  const { service } = parts.context
  const reference = `pkg:oci/${service}@${encodeURIComponent(image)}`
  const packages = parts.packages.map((item) => component(item))
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
      component: {
        type: 'container',
        'bom-ref': reference,
        name: service,
        version: image,
        purl: reference,
        hashes: [{ alg: 'SHA-256', content: image.slice('sha256:'.length) }],
      },
    },
    components: packages,
    dependencies: [{ ref: reference, dependsOn: packages.map((item) => item['bom-ref']) }],
  }
  return { mediaType, document, annotations: { 'org.basalt.attachment': 'sbom' } }
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
