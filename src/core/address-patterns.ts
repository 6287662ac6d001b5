/** A host name (RFC 1123), or `*` for every host. */
export const hostPattern =
  /^(?:\*|(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)$/

/** `/`, or segments of letters, digits and `-._~@:+,=` between slashes; `.` and `..` are no segments. */
export const urlPathPattern =
  /^\/(?!\.{1,2}(?:\/|$))(?!.*\/\.{1,2}(?:\/|$))(?:[A-Za-z0-9._~@:+,=-]+(?:\/[A-Za-z0-9._~@:+,=-]+)*\/?)?$/

/** What a health check may ask for: a path with its query, without anything that would end the request line. */
export const requestTargetPattern = /^\/[^\s\u0000-\u001f\u007f]*$/
