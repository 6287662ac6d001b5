/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}` and `${NAME+other}` (Dockerfile
 * reference, "Environment replacement"). An unknown variable is empty.
 */
export function expandVariables(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(
    /\\(.)|\$(?:(\w+)|\{(\w+)(?:(:?[-+])((?:[^{}]|\$\{[^}]*\})*))?\})/g,
    (whole, escaped?: string, plain?: string, braced?: string, operator?: string, word: string = '') => {
      if (escaped !== undefined) return escaped
      const value = values.get(plain ?? braced ?? '')
      if (operator === undefined) return value ?? ''
      const isSet = value !== undefined && (!operator.startsWith(':') || value !== '')
      if (operator.endsWith('-')) return isSet ? value : expandVariables(word, values)
      if (operator.endsWith('+')) return isSet ? expandVariables(word, values) : ''
      return whole
    },
  )
}
