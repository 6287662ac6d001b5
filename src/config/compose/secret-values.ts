const secretName =
  /PASSW(?:OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|API_?KEY|(?:PRIVATE|ACCESS|ENCRYPTION|SIGNING|MASTER)_?KEY|(?:^|[_.-])(?:PASS|PWD|PW|KEY|SALT|AUTH)$/i
/** Names that speak of a secret without being one. */
const harmlessName =
  /(?:_FILE|_PATH|_DIR|_TTL|_EXPIR[A-Z_]*|_LIFETIME|_TIMEOUT|_LENGTH|_NAME|_HEADER|_ALGORITHM|_ISSUER|_TYPE)$|^PWD$|^(?:ALLOW|ENABLE|DISABLE)_/i
const harmlessValue = /^(?:|true|false|yes|no|on|off|0|1|none|null)$/i

const secretForms: readonly RegExp[] = [
  // A password in an address: scheme://user:password@host, and user:password@tcp(host) of Go.
  /:\/\/[^\s/:@]*:[^\s/@]+@/,
  /\S:\S{1,200}@tcp\(/,
  /\b(?:password|passwd|pwd|secret|token)=[^\s;&,$]+/i,
  /(?:^|\s)--?[\w.-]*(?:password|passwd|requirepass|masterauth|secret|token|api-?key)(?:=|\s+)["']?[^\s$"'-]/i,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|sk_live_\w{10,}|xox[abpr]-[\w-]{10,}|glpat-[\w-]{16,})/,
  /\$(?:2[aby]|apr1|argon2\w*|[156])\$[^\s$]+\$?\S{8,}/,
]

/** True when a variable of that name holds what must not be written down. Its value may show that it is none. */
export const isSecretVariable = (name: string, value: string): boolean =>
  secretName.test(name) && !harmlessName.test(name) && !harmlessValue.test(value.trim())

/** True when a text itself has the form of a secret: a password in an address, a private key, a known token. */
export const holdsSecret = (text: string): boolean => secretForms.some((form) => form.test(text))
