import { BasaltError } from '../../../errors.ts'

/** Codes of the distribution-spec ("Error Codes"), two of its reference implementation's, and ours for a full disk. */
const statuses = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TAG_INVALID: 400,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  INSUFFICIENT_STORAGE: 507,
  UNKNOWN: 500,
} as const

export type RefusalCode = keyof typeof statuses

interface RefusalParts {
  /** Where it is not the one that goes with the code. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly detail?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** What the protocol has to say about a request that is not granted. */
export const refusal = (code: RefusalCode, message: string, parts: RefusalParts = {}): BasaltError =>
  new BasaltError('registry.refused', {
    message,
    details: {
      code,
      status: parts.status ?? statuses[code],
      headers: parts.headers ?? {},
      detail: parts.detail ?? {},
    },
    ...(parts.cause === undefined ? {} : { cause: parts.cause }),
  })

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: {
    readonly errors: readonly {
      readonly code: RefusalCode
      readonly message: string
      readonly detail: Readonly<Record<string, unknown>>
    }[]
  }
}

/** Any failure as the protocol tells it. What nobody expected says nothing of the inside. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const { code, status, headers, detail } = partsOf(error)
  const message = messageFor(code, error)
  return { status, headers, body: { errors: [{ code, message, detail }] } }
}

interface AnswerParts {
  readonly code: RefusalCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly detail: Readonly<Record<string, unknown>>
}

function partsOf(error: unknown): AnswerParts {
  if (error instanceof BasaltError && error.code === 'registry.refused')
    return error.details as unknown as AnswerParts
  const code = codeOf(error)
  return { code, status: statuses[code], headers: {}, detail: {} }
}

function codeOf(error: unknown): RefusalCode {
  if (!(error instanceof BasaltError)) return 'UNKNOWN'
  switch (error.code) {
    case 'host.disk-full':
      return 'INSUFFICIENT_STORAGE'
    case 'image.unknown':
      return 'BLOB_UNKNOWN'
    case 'image.invalid':
      return 'MANIFEST_INVALID'
    default:
      return 'UNKNOWN'
  }
}

/** What went wrong inside is for the log: it names files of the server. */
function messageFor(code: RefusalCode, error: unknown): string {
  if (code === 'INSUFFICIENT_STORAGE') return "no space is left on the registry's disk"
  if (code === 'UNKNOWN' || !(error instanceof BasaltError))
    return "the registry failed; the server's log says why"
  return error.message
}
