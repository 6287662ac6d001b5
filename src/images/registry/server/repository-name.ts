/** Components of a name, and tags (distribution-spec, "Pulling manifests"). */
const namePattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^\w[\w.-]{0,127}$/
/** Clients limit the name together with the host to 255; the spec leaves it to us. */
const longestName = 255

export const isRepositoryName = (text: string): boolean =>
  text.length <= longestName && namePattern.test(text)

export const isTag = (text: string): boolean => tagPattern.test(text)

/** The tag under which everything of `shop@7` is found; a `@` cannot be in a tag. */
export const releaseTag = (version: number): string => `release-${version}`

/** Tags of that form mean releases in every repository, so nobody may push one. */
export const isReleaseTag = (tag: string): boolean => /^release-\d+$/.test(tag)
