import * as z from 'zod'

/**
 * The error text of every schema here completes the sentence "`key` must be …". It is also the only text that
 * people see for a wrong value, so it says the rule and shows an example.
 */

/** Marks schemas whose numbers and booleans are taken as they were written: `1.10` is the text "1.10". */
export const asWritten = z.registry<{ readonly asWritten: true }>()

/** A text for which YAML may well see a number or a boolean: an environment value, an argument, a label. */
export const writtenText = z
  .union([z.string(), z.number(), z.boolean()], { error: 'a text, a number, `true` or `false`' })
  .register(asWritten, { asWritten: true })

/** As `writtenText`, of a certain form. The number branch is for editors: the reader hands over its text. */
export const writtenPattern = (pattern: RegExp, expected: string) =>
  z
    .union([z.string(expected).regex(pattern, expected), z.int(expected)], { error: expected })
    .register(asWritten, { asWritten: true })

export const text = (expected: string, pattern: RegExp) => z.string(expected).regex(pattern, expected)

export const whole = (expected: string, least: number, most: number) =>
  z.int(expected).min(least, expected).max(most, expected)

export const list = <Item extends z.ZodType>(item: Item, expected: string) => z.array(item, expected)

export const yesOrNo = () => z.boolean('`true` or `false`')

/** A systems', services', environments' or volumes' name; see namePattern in core/ids.ts. */
const nameRule =
  'a name of lower-case letters, digits and `-`, at most 40 long, that begins with a letter and does not end with `-`'
export const name = text(nameRule, /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/)

export const portNumber = whole('a port number from 1 to 65535', 1, 65_535)

export const durationPattern = /^(?=\d)(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?$/
export const duration = text(
  'a duration with its unit, such as `500ms`, `2s`, `1m30s` or `1h`',
  durationPattern,
)

export const sizePattern = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i
const sizeRule = 'a size such as `64M` or `1.5G` (K, M, G and T count in 1024s; without a letter: bytes)'
export const size = z.union([text(sizeRule, sizePattern), z.int(sizeRule).min(1, sizeRule)], {
  error: sizeRule,
})

const pathRule = 'an absolute path inside the container, such as `/var/lib/app`, without `..`'
/** Absolute and without `.` or `..` segments; a trailing slash is dropped later. */
export const containerPath = text(
  pathRule,
  /^\/(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)[^\u0000-\u001f\u007f]*$/,
)

export const argumentsOf = (expected: string) =>
  z.union([z.string(expected).min(1, expected), z.array(writtenText, expected).min(1, expected)], {
    error: expected,
  })

const variableRule = 'a variable name of letters, digits and `_` that does not begin with a digit'
export const environmentVariables = z.record(text(variableRule, /^[A-Za-z_][A-Za-z0-9_]*$/), writtenText, {
  error: 'a block of `NAME: value` lines',
})

const labelRule = 'a label name such as `org.example.team`'
export const labels = z.record(
  text(labelRule, /^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/),
  writtenText,
  {
    error: 'a block of `name: value` lines',
  },
)

export const userName = writtenPattern(
  /^(?:[0-9]{1,10}(?::[0-9]{1,10})?|[a-z_][a-z0-9_-]{0,31})$/,
  'a user id, `uid:gid` in quotes, or a user name of the image',
)

/** What a registry calls an image; the grammar itself is that of images/reference.ts. */
const imageRule =
  'an image of a registry, such as `nginx:1.25` or `registry.example.com/team/web@sha256:…`, or `sha256:…` of one in the store'
export const imageName = text(
  imageRule,
  /^(?:sha256:[0-9a-f]{64}|(?!sha256:)[A-Za-z0-9[][^\s@\u0000-\u001f\u007f]*(?:@sha256:[0-9a-f]{64})?)$/,
)
