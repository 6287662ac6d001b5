/** What a token allows; each allows what stands before it too. */
export const scopes = ['pull', 'push', 'delete'] as const
export type Scope = (typeof scopes)[number]
