import { formatReference, parseReference } from '../../images/reference.ts'
import type { PinnedPlace } from './backend.ts'

/** What stands in the Dockerfile that is built: a name that can only mean these bytes. */
export const pinnedReference = ({ reference, digest, onlyHere }: PinnedPlace): string =>
  onlyHere ? digest : formatReference({ ...parseReference(reference), tag: null, digest })
