import type { Context } from './context.ts'

/** What a shell completes here. */
export type Completes =
  | 'environment'
  | 'system'
  | 'release'
  | 'service'
  | 'deployment'
  | 'running-deployment'
  | 'file'
  | 'none'

/**
 * A flag as data. Its name is its key in the command, in camelCase: `dryRun` is `--dry-run` and `BASALT_DRY_RUN`.
 */
export interface Flag<Value = unknown> {
  readonly summary: string
  /** One letter. */
  readonly short?: string
  /** `value`: takes one; `switch`: on or not said; `toggle`: also has a `--no-` form. */
  readonly kind: 'value' | 'switch' | 'toggle'
  /** Of a `value`: what stands for it in help, `name` in `--env <name>`. */
  readonly placeholder?: string
  readonly choices?: readonly string[]
  readonly completes?: Completes
  /** What a valid text is: "a duration such as 90s". */
  readonly expects?: string
  /** Undefined: the text is not valid. */
  parse(text: string): Value | undefined
  /** When the flag is given in no way. */
  readonly absent: Value
}

/** A positional argument as data; the value of an absent optional one is null. */
export interface Argument {
  readonly summary: string
  readonly required: boolean
  readonly choices?: readonly string[]
  readonly completes?: Completes
}

export type Flags = Readonly<Record<string, Flag>>
export type Arguments = Readonly<Record<string, Argument>>

export interface CommandInput<F extends Flags, A extends Arguments> {
  readonly flags: { readonly [Name in keyof F]: F[Name] extends Flag<infer Value> ? Value : never }
  readonly args: { readonly [Name in keyof A]: A[Name]['required'] extends true ? string : string | null }
}

export interface Example {
  readonly command: string
  readonly does: string
}

/** A command as data: help, docs/cli.md, completion and parsing all come from it. */
export interface Command<F extends Flags = Flags, A extends Arguments = Arguments> {
  /** `deploy`, or `release export` for a command of a group. */
  readonly name: string
  /** One sentence, without a full stop. */
  readonly summary: string
  /** More, as paragraphs. */
  readonly description?: string
  readonly flags: F
  readonly args: A
  readonly examples: readonly Example[]
  /** The schemas of what `-o json` prints; several where the outcome decides. Empty: it prints none. */
  readonly schemas: readonly string[]
  /** Left out of help and documentation. */
  readonly hidden?: boolean
  /** Overrides the exit code of errors; null leaves it. */
  errorExitCode?(flags: CommandInput<F, A>['flags']): number | null
  /** Resolves with the exit code; nothing means 0. */
  run(input: CommandInput<F, A>, context: Context): Promise<number | void>
}

/** Keeps the types of flags and arguments for `run`, then forgets them so that commands fit in one list. */
export const defineCommand = <F extends Flags, const A extends Arguments>(command: Command<F, A>): Command =>
  command

/** `dryRun` as it is typed: `dry-run`. */
export const flagName = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** The environment variable that sets a flag. */
export const flagVariable = (key: string): string =>
  `BASALT_${flagName(key).replaceAll('-', '_').toUpperCase()}`
