/** An error as the ledger and the wire carry it. */
export interface ErrorFacts {
  readonly code: string
  readonly message: string
  readonly remedy: string | null
  readonly details: Readonly<Record<string, unknown>>
}
