import { isDigest } from '../../core/ids.ts'
import type { ImageSource, RegistrySource } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import { parseReference } from '../../images/reference.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { Scope } from './scope.ts'

/** An image as it is named in the manifest. Null when a mistake was reported. */
export function resolveImage(
  text: string,
  scope: Scope,
  path: ManifestPath,
): Extract<ImageSource, { readonly kind: 'image' }> | RegistrySource | null {
  if (isDigest(text)) return { kind: 'image', digest: text }
  try {
    parseReference(text)
    return { kind: 'reference', reference: text }
  } catch (error) {
    if (!(error instanceof BasaltError) || error.code !== 'image.reference-invalid') throw error
    scope.report(path, error.message, error.remedy ?? '')
    return null
  }
}
